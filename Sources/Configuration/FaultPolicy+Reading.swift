import BrokerCore
import UnitConfig

extension FaultPolicy {
    private static let day: UInt64 = 86_400_000

    init(_ section: inout SectionReader) {
        let standard = FaultPolicy()
        self.init()
        action = section.value(.faultPolicy, default: standard.action, text: { $0.rawValue }) {
            text throws(ValueFault) in
            try Value.word(text, of: Action.self)
        }
        storm = section.value(.faultStorm, default: standard.storm, text: Self.rateText, Self.rate)
        timeouts = section.value(.atcTimeouts, default: standard.timeouts, text: Self.rateText, Self.rate)
        sampling = UInt64(
            clamping: section.integer(.faultSample, default: Int(clamping: standard.sampling), in: 1...1_000_000))
        comesBack = section.value(.parkReturn, default: standard.comesBack, text: { $0.rawValue }) {
            text throws(ValueFault) in try Value.word(text, of: Return.self)
        }
        parkMilliseconds = section.value(
            .parkTime, default: standard.parkMilliseconds, text: Value.durationText, Self.parkTime)
        maximumParkMilliseconds = section.value(
            .maximumParkTime, default: standard.maximumParkMilliseconds, text: Value.durationText, Self.parkTime)
        if maximumParkMilliseconds < parkMilliseconds {
            let time = Value.durationText(parkMilliseconds)
            section.report(
                .warning, at: .maximumParkTime, "`MaxParkTime=` is below `ParkTime=\(time)`; \(time) is in effect")
            maximumParkMilliseconds = parkMilliseconds
            section.replace(.maximumParkTime, by: time)
        }
    }

    private static func parkTime(_ text: String) throws(ValueFault) -> UInt64 {
        try Value.duration(text, in: 100...7 * day)
    }

    /// `1000/10s`: a number, and within which time.
    private static func rate(_ text: String) throws(ValueFault) -> Rate {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false).map { String($0).trimmedBlanks }
        guard parts.count == 2 else { throw ValueFault("is not a number and a time such as 1000/10s") }
        let count = try Value.integer(parts[0], in: 1...1_000_000_000)
        return Rate(count, withinMilliseconds: try Value.duration(parts[1], in: 100...day))
    }

    private static func rateText(_ rate: Rate) -> String {
        "\(rate.count)/\(Value.durationText(rate.milliseconds))"
    }
}

extension String {
    fileprivate var trimmedBlanks: String {
        String(drop { $0 == " " || $0 == "\t" }.reversed().drop { $0 == " " || $0 == "\t" }.reversed())
    }
}
