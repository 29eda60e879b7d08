/// The fields of each structure that decide about a translation, to be changed one at a time.
struct ScenarioField {
    let high: Int
    let low: Int

    init(_ high: Int, _ low: Int) {
        self.high = high
        self.low = low
    }

    init(_ bit: Int) { self.init(bit, bit) }

    /// `word` with another value in this field.
    func changed(_ word: UInt64, _ random: inout SplitMix64) -> UInt64 {
        let width = high - low + 1
        let difference = max(1, random.bits(width))
        return word ^ .field(difference, high, low)
    }

    /// Span, and the pointer (IHI 0070, 5.1).
    static let streamTableLevel1 = [ScenarioField(4, 0), ScenarioField(4, 0), ScenarioField(31, 12)]

    /// By word (IHI 0070, 5.2). The low bits of the VMID stay, which keep it different from all others.
    static func ste(word: Int) -> [ScenarioField] {
        switch word {
        case 0:
            return [
                ScenarioField(0), ScenarioField(3, 1), ScenarioField(3, 1), ScenarioField(5, 4), ScenarioField(63, 59),
                ScenarioField(15, 6), ScenarioField(51, 12),
            ]
        case 1:
            return [
                ScenarioField(1, 0), ScenarioField(25), ScenarioField(27), ScenarioField(29, 28), ScenarioField(31, 30),
                ScenarioField(49, 48), ScenarioField(51, 50),
            ]
        case 2:
            return [
                ScenarioField(37, 32), ScenarioField(39, 38), ScenarioField(47, 46), ScenarioField(50, 48),
                ScenarioField(51), ScenarioField(52), ScenarioField(53), ScenarioField(54), ScenarioField(57),
                ScenarioField(55), ScenarioField(56), ScenarioField(58), ScenarioField(15, 4),
            ]
        default: return [ScenarioField(19, 12), ScenarioField(51, 44), ScenarioField(11, 4)]
        }
    }

    /// V, and the pointer (IHI 0070, 5.3).
    static let contextTableLevel1 = [ScenarioField(0), ScenarioField(0), ScenarioField(31, 12)]

    /// By word (IHI 0070, 5.4). The low bits of the ASID stay.
    static func cd(word: Int) -> [ScenarioField] {
        guard word == 0 else {
            return [
                ScenarioField(1), ScenarioField(2), ScenarioField(19, 12), ScenarioField(51, 44), ScenarioField(11, 4),
            ]
        }
        let fields = [(5, 0), (7, 6), (21, 16), (23, 22), (34, 32), (63, 53)].map { ScenarioField($0.0, $0.1) }
        return fields + [14, 15, 30, 31, 35, 36, 37, 38, 39, 40, 41, 42, 43, 44, 45, 46].map { ScenarioField($0) }
    }

    /// The type and address of an entry, then what only a leaf has, then what only a table has (VMSAv8-64).
    static let tableEntry: [ScenarioField] =
        [(1, 0), (1, 0), (15, 12), (21, 12), (35, 21), (47, 30), (7, 6), (5, 2), (62, 59)]
        .map { ScenarioField($0.0, $0.1) } + [0, 6, 7, 10, 10, 11, 51, 53, 54].map { ScenarioField($0) }
}
