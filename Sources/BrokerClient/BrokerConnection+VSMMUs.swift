package import CSMMUBroker
package import SMMUv3
package import Wire

extension BrokerConnection {
    /// A vSMMU that has been made, and in what its registers are less than wanted.
    package struct CreatedVSMMU: Hashable, Sendable {
        package var reply: VSMMUCreateReply
        package var narrowings: [Narrowing]
    }

    /// Makes a vSMMU on the physical SMMU of `device`. `wanted`: what the guest is to be shown at most; nil: as much as
    /// possible.
    package func createVSMMU(
        on device: Name, wanted: IDRegisters? = nil
    ) throws(BrokerError) -> CreatedVSMMU {
        var reply = smmu_broker_vsmmu_create_reply()
        var registers = smmu_broker_registers(wanted)
        var narrowings = [smmu_broker_narrowing](repeating: smmu_broker_narrowing(), count: 64)
        let capacity = UInt32(narrowings.count)
        let count = try request { client in
            // SAFETY: the call fills the reply and at most `capacity` narrowings, and keeps no pointer.
            unsafe smmu_broker_client_vsmmu_create(
                client.pointer, device.description, &registers, &reply, &narrowings, capacity)
        }
        return CreatedVSMMU(
            reply: VSMMUCreateReply(
                vsmmu: VSMMUID(reply.vsmmu), errata: VSMMUCreateReply.Errata(rawValue: reply.errata),
                host: IDRegisters(reply.host), advertised: IDRegisters(reply.advertised)),
            narrowings: narrowings.prefix(Int(count)).compactMap(Narrowing.init))
    }

    package func destroyVSMMU(_ vsmmu: VSMMUID) throws(BrokerError) {
        // SAFETY: the call keeps no pointer.
        try request { unsafe smmu_broker_client_vsmmu_destroy($0.pointer, vsmmu.rawValue) }
    }

    /// What became of each context of a vSMMU.
    package struct Contexts: Hashable, Sendable {
        package var generation: Generation
        package var contexts: [ContextReport]

        package init(generation: Generation, contexts: [ContextReport]) {
            (self.generation, self.contexts) = (generation, contexts)
        }
    }

    /// What the guest wrote to CR0.SMMUEN and GBPA.ABORT; with SMMUEN the STEs of all attached vSIDs.
    package func setState(
        of vsmmu: VSMMUID, _ flags: VSMMUStateRequest.Flags, entries: [ContextEntry] = []
    ) throws(BrokerError) -> Contexts {
        let list = entries.map(smmu_broker_entry.init)
        return try contexts { (client, contexts, generation) in
            // SAFETY: the call reads `list.count` entries, fills as many contexts as there is room for, and keeps no pointer.
            unsafe smmu_broker_client_vsmmu_state(
                client.pointer, vsmmu.rawValue, flags.rawValue, list, UInt32(list.count), &contexts,
                UInt32(Limits.entries), &generation)
        }
    }

    /// The guest was reset, or has begun anew.
    package func reset(_ vsmmu: VSMMUID) throws(BrokerError) -> Contexts {
        try contexts { (client, contexts, generation) in
            // SAFETY: the call fills as many contexts as there is room for, and keeps no pointer.
            unsafe smmu_broker_client_vsmmu_reset(
                client.pointer, vsmmu.rawValue, &contexts, UInt32(Limits.entries), &generation)
        }
    }

    private func contexts(
        _ call: (ClientHandle, inout [smmu_broker_context], inout UInt32) -> Int32
    ) throws(BrokerError) -> Contexts {
        var contexts = [smmu_broker_context](repeating: smmu_broker_context(), count: Limits.entries)
        var generation: UInt32 = 0
        let count = try request { call($0, &contexts, &generation) }
        return Contexts(
            generation: Generation(generation), contexts: contexts.prefix(Int(count)).map(ContextReport.init))
    }
}

extension smmu_broker_registers {
    fileprivate init(_ registers: IDRegisters?) {
        self.init()
        guard let registers else { return }
        idr = (registers.idr0, registers.idr1, registers.idr2, registers.idr3, registers.idr4, registers.idr5)
        (iidr, aidr) = (registers.iidr, registers.aidr)
    }
}

extension IDRegisters {
    fileprivate init(_ registers: smmu_broker_registers) {
        let idr = registers.idr
        self.init(
            idr0: idr.0, idr1: idr.1, idr2: idr.2, idr3: idr.3, idr4: idr.4, idr5: idr.5, iidr: registers.iidr,
            aidr: registers.aidr)
    }
}

extension Narrowing {
    /// nil when the field's name is none.
    fileprivate init?(_ narrowing: smmu_broker_narrowing) {
        // SAFETY: an array of characters, which are bytes; it is copied here.
        let bytes = unsafe withUnsafeBytes(of: narrowing.field) { unsafe Array($0) }
        let text = String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
        guard let field = RegisterFieldName(text) else { return nil }
        self.init(
            field: field, wanted: narrowing.wanted, host: narrowing.host, given: narrowing.given, cause: .host)
        causeCode = narrowing.cause
    }
}

extension smmu_broker_entry {
    fileprivate init(_ entry: ContextEntry) {
        self.init()
        vsid = entry.vsid.rawValue
        ste = entry.ste.cWords
    }
}

extension StreamTableEntry {
    /// As the C structures have them.
    var cWords: (UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64) {
        (words[0], words[1], words[2], words[3], words[4], words[5], words[6], words[7])
    }
}

extension ContextReport {
    /// As the C client has it.
    package init(_ context: smmu_broker_context) {
        self.init(
            vsid: StreamID(context.vsid), state: ContextState(rawValue: context.state) ?? .abort,
            status: Status(context.status), illegal: context.illegal != 0)
    }
}
