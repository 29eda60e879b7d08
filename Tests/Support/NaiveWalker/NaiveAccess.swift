/// A transaction with the attributes that the tables judge it by, and the event records that it can give rise to
/// (IHI 0070, 7.3).
struct NaiveAccess {
    /// Which access a fault belongs to, with the value of the CLASS field.
    enum Class: UInt64 {
        case cd = 0
        case table = 1
        case input = 2
    }

    /// The event numbers used here.
    enum Event: UInt64 {
        case badStreamID = 0x02
        case steFetch = 0x03
        case badSTE = 0x04
        case streamDisabled = 0x06
        case badSubstreamID = 0x08
        case cdFetch = 0x09
        case badCD = 0x0A
        case walkAbort = 0x0B
        case translation = 0x10
        case addressSize = 0x11
        case access = 0x12
        case permission = 0x13
    }

    let question: NaiveQuestion
    let write: Bool
    private(set) var privileged: Bool
    private(set) var instruction: Bool

    init(_ question: NaiveQuestion) {
        self.question = question
        write = question.write
        privileged = question.privileged
        instruction = question.instruction && !question.write
    }

    /// Applies STE.PRIVCFG and STE.INSTCFG (IHI 0070, 5.2). Only reads can be made instruction fetches.
    mutating func override(privilege: UInt64, instruction fetch: UInt64) {
        if privilege == 2 { privileged = false }
        if privilege == 3 { privileged = true }
        if fetch == 2 { instruction = false }
        if fetch == 3 && !write { instruction = true }
    }

    /// The record of a configuration error or of a failed fetch of a configuration structure.
    func configurationRecord(_ event: Event, fetched address: UInt64 = 0) -> [UInt64] {
        switch event {
        case .streamDisabled: return [header(event, ssid: nil), 0, 0, 0]
        // The SubstreamID is always there, without a bit that says so; it is 0 for CD 0 of a transaction without one.
        case .badSubstreamID: return [header(event, ssid: nil) | substream(question.ssid ?? 0), 0, 0, 0]
        default: return [header(event, ssid: question.ssid), 0, 0, address.keeping(51, 3)]
        }
    }

    /// The record of a translation fault. `ipa` is given for stage 2.
    func faultRecord(_ event: Event, _ accessClass: Class, ipa: UInt64?, stalled: Bool) -> [UInt64] {
        var second = attributes(accessClass, stage2: ipa != nil) | stalled.at(31)
        if event == .permission && ipa != nil && accessClass == .table { second |= true.at(44) }
        return [header(event, ssid: question.ssid), second, question.iova, (ipa ?? 0).keeping(51, 12)]
    }

    /// The record of an external abort on a translation table at physical address `address`.
    func walkAbortRecord(_ accessClass: Class, stage2: Bool, fetched address: UInt64) -> [UInt64] {
        let second = attributes(accessClass, stage2: stage2)
        return [header(.walkAbort, ssid: question.ssid), second, question.iova, address.keeping(51, 3)]
    }

    private func header(_ event: Event, ssid: UInt32?) -> UInt64 {
        event.rawValue | (ssid.map { true.at(11) | substream($0) } ?? 0) | (UInt64(question.sid) &<< 32)
    }

    private func substream(_ ssid: UInt32) -> UInt64 {
        UInt64(ssid).bits(19, 0) &<< 12
    }

    private func attributes(_ accessClass: Class, stage2: Bool) -> UInt64 {
        privileged.at(33) | instruction.at(34) | (!write).at(35) | stage2.at(39) | (accessClass.rawValue &<< 40)
    }
}
