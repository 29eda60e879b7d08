import SMMUv3
import Scenarios
import Wire

// Random values of everything a message holds, within what the protocol allows.

extension SplitMix64 {
    mutating func number32() -> UInt32 { UInt32(truncatingIfNeeded: next()) }

    mutating func name<let capacity: Int>() -> FixedName<capacity> {
        let letters = Array("abcxyzABCXYZ0189-_.:")
        let length = within(1...capacity - 1)
        let text = String((0..<length).map { _ in letters[below(letters.count)] })
        guard let name = FixedName<capacity>(text) else { preconditionFailure("\(text) is a name") }
        return name
    }

    mutating func vsmmu() -> VSMMUID { VSMMUID(number32()) }
    mutating func stream() -> StreamID { StreamID(number32()) }
    mutating func cookie() -> Cookie { Cookie(next()) }
    mutating func one<Case: CaseIterable>(of _: Case.Type) -> Case where Case.AllCases == [Case] {
        Case.allCases[below(Case.allCases.count)]
    }
    mutating func flags<Flags: OptionSet>(below bound: UInt32) -> Flags where Flags.RawValue == UInt32 {
        Flags(rawValue: number32() % bound)
    }

    mutating func registers() -> IDRegisters {
        IDRegisters(
            idr0: number32(), idr1: number32(), idr2: number32(), idr3: number32(), idr4: number32(),
            idr5: number32(), iidr: number32(), aidr: number32())
    }

    mutating func ste() -> StreamTableEntry {
        StreamTableEntry(words: SIMD8(next(), next(), next(), next(), next(), next(), next(), next()))
    }
    mutating func entry() -> ContextEntry { ContextEntry(vsid: stream(), ste: ste()) }
    mutating func command() -> Command { Command(d0: next(), d1: next()) }
    mutating func event() -> EventRecord { EventRecord(next(), next(), next(), next()) }
    mutating func report() -> ContextReport {
        ContextReport(
            vsid: stream(), state: one(of: ContextState.self), status: Status(number32()), illegal: chance(50))
    }
    mutating func narrowing() -> Narrowing {
        Narrowing(
            field: name(), wanted: number32(), host: number32(), given: number32(), cause: one(of: Narrowing.Cause.self)
        )
    }
    mutating func target() -> AccessRequest.Target {
        AccessRequest.Target(
            vsmmu: vsmmu(), vsid: stream(), iova: IOVA(next()),
            substream: chance(50) ? SubstreamID(number32() >> 12) : nil,
            flags: chance(50) ? [.privileged] : [.instruction])
    }
    /// Mostly few, now and then the most.
    mutating func count(upTo most: Int) -> Int { chance(12) ? most : within(1...min(most, 5)) }
    mutating func list<Element>(upTo most: Int, _ make: (inout SplitMix64) -> Element) -> [Element] {
        (0..<count(upTo: most)).map { _ in make(&self) }
    }
}
