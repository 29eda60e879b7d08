extension JournalRecord {
    init(_ notice: NoticeEntry) {
        self.init(notice.kind, message: notice.sentence)
        add(notice.origin)
        add("SMMU_DEVICE", notice.device.text)
        if let vsmmu = notice.vsmmu { add("SMMU_VSMMU", vsmmu) }
        if let vsid = notice.vsid { add("SMMU_VSID", "0x" + String(vsid, radix: 16)) }
        if notice.count > 0 { add("SMMU_COUNT", notice.count) }
        add("SMMU_HEALTH", notice.health)
        add("SMMU_REASON", notice.reason)
        add("SMMU_DETAIL", notice.detail)
    }
}

extension NoticeEntry {
    /// What happened, for someone who reads a log.
    fileprivate var sentence: String {
        let text = whom + what
        return detail.isEmpty ? "\(text)." : "\(text): \(detail)"
    }

    private var whom: String {
        guard let origin, origin.session != 0 else { return "" }
        return origin.vm.isEmpty ? "Session \(origin.session): " : "VM \(origin.vm.text): "
    }

    private var deviceText: String { device.isEmpty ? "a device" : "device \(device.text)" }
    private var vsmmuText: String { vsmmu.map { "vSMMU \($0)" } ?? "a vSMMU" }
    private var vsidText: String { vsid.map { " as vSID 0x\(String($0, radix: 16))" } ?? "" }

    /// A table: one line for each kind.
    private var what: String {
        switch kind {
        case .fault: "a fault"
        case .suppressedFaults: "\(count) faults of \(deviceText) were not logged"
        case .eventsLost: "\(vsmmuText) lost \(count) events before they could be read"
        case .sessionBegan: "session \(origin?.session ?? 0) of process \(origin?.pid ?? 0) began"
        case .sessionEnded: "session \(origin?.session ?? 0) ended"
        case .attached: "\(deviceText) attached to \(vsmmuText)\(vsidText)"
        case .detached: "\(deviceText) detached"
        case .requestRefused: "a request was refused"
        case .resynchronized: "the host failed, and \(vsmmuText) was resynchronized"
        case .vsmmuFailed: "the host failed, and \(vsmmuText) with it: its devices abort until it is reset"
        case .deviceTimedOut: "\(deviceText) of \(vsmmuText) did not answer an ATC invalidation in time"
        case .stallTimedOut: "nobody answered a stalled transaction of \(deviceText) in time, and it was aborted"
        case .suspected: "\(deviceText) is suspect"
        case .quarantined: "\(deviceText) is in quarantine, and its DMA aborts"
        case .released: "\(deviceText) is out of quarantine"
        case .calmed: "\(deviceText) counts as healthy again"
        case .configurationReloaded: "the configuration was reloaded"
        case .configurationKept: "the new configuration is not usable, and the one before stays in effect"
        case .entriesLost: "\(count) journal entries were lost"
        }
    }
}
