extension StreamTableEntry {
    /// What the entry does, in one line.
    public var summary: String {
        guard valid else { return "not valid: V is 0" }
        switch config {
        case .abort: return "every transaction aborts"
        case .reserved1, .reserved2, .reserved3: return "a reserved Config: every transaction aborts"
        case .bypass: return "no translation: addresses pass unchanged"
        case .stage1: return "stage 1 only: \(contexts)"
        case .stage2: return "stage 2 only: \(stage2)"
        case .nested: return "stage 1 and stage 2: \(contexts) (an IPA), \(stage2)"
        }
    }

    private var contexts: String {
        s1CDMax == 0
            ? "one CD at \(s1ContextPointer.hex)" : "2^\(s1CDMax) CDs, their table at \(s1ContextPointer.hex)"
    }

    private var stage2: String {
        let granule = Granule(tg0: s2TG)?.name ?? "reserved"
        return "VMID \(s2VMID), \(granule) granule, \(64 - s2T0SZ)-bit IPAs, table at \(s2TableBase.hex)"
    }
}

extension ContextDescriptor {
    /// What the descriptor says, in one line.
    public var summary: String {
        valid ? "ASID \(asid), \(summary(ofTable: 0)), \(summary(ofTable: 1))" : "not valid: V is 0"
    }

    private func summary(ofTable index: Int) -> String {
        let table = table(index)
        if table.walkDisabled { return "TT\(index) off" }
        let granule = table.granule?.name ?? "reserved"
        return "TT\(index) \(granule) granule, \(64 - table.tsz)-bit addresses, table at \(table.base.hex)"
    }
}
