import CSMMUBroker
package import LinuxSystem
package import SMMUv3
package import Wire

extension BrokerConnection {
    /// A device that has been attached, with its vfio descriptor where the backend has one.
    package struct Attachment: ~Copyable {
        package let reply: DeviceAttachReply
        package let device: OwnedFD?
    }

    /// Puts `device` under the vSMMU as `vsid`.
    @discardableResult
    package func attach(
        _ device: Name, to vsmmu: VSMMUID, as vsid: StreamID
    ) throws(BrokerError) -> Attachment {
        var reply = smmu_broker_device_attach_reply()
        var raw: Int32 = -1
        try request { client in
            // SAFETY: the call reads a string that ends in 0, fills the reply and one number, and keeps no pointer.
            unsafe smmu_broker_client_device_attach(
                client.pointer, vsmmu.rawValue, vsid.rawValue, device.description, &reply, &raw)
        }
        return Attachment(
            reply: DeviceAttachReply(reply), device: raw >= 0 ? OwnedFD(adopting: raw) : nil)
    }

    package func rebind(_ vsid: StreamID, to newVSID: StreamID, on vsmmu: VSMMUID) throws(BrokerError) {
        try request { client in
            // SAFETY: the call keeps no pointer.
            unsafe smmu_broker_client_device_rebind(client.pointer, vsmmu.rawValue, vsid.rawValue, newVSID.rawValue)
        }
    }

    package func detach(_ vsid: StreamID, from vsmmu: VSMMUID) throws(BrokerError) {
        // SAFETY: the call keeps no pointer.
        try request { unsafe smmu_broker_client_device_detach($0.pointer, vsmmu.rawValue, vsid.rawValue) }
    }

    /// Resets a device that is orphaned.
    package func resetDevice(_ device: Name) throws(BrokerError) {
        // SAFETY: the call reads a string that ends in 0, and keeps no pointer.
        try request { unsafe smmu_broker_client_device_reset($0.pointer, device.description) }
    }

    /// The STE of a vSID as the guest's stream table has it.
    package func setSTE(
        _ ste: StreamTableEntry, of vsid: StreamID, on vsmmu: VSMMUID
    ) throws(BrokerError) -> ContextReport {
        var context = smmu_broker_context()
        let words = (0..<8).map { ste.words[$0] }
        try request { client in
            // SAFETY: the call reads 8 words, fills one structure, and keeps no pointer.
            unsafe smmu_broker_client_ste_set(client.pointer, vsmmu.rawValue, vsid.rawValue, words, &context)
        }
        return ContextReport(context)
    }

    /// Has 1 to ``Limits/commands`` commands done; returns how many are. ``BrokerError/completed`` says it of a refusal.
    @discardableResult
    package func invalidate(_ commands: [Command], on vsmmu: VSMMUID) throws(BrokerError) -> UInt32 {
        let list = commands.map { smmu_broker_command(words: ($0.d0, $0.d1)) }
        var progress = smmu_broker_progress()
        try request { client in
            // SAFETY: the call reads `list.count` commands, fills one structure, and keeps no pointer.
            unsafe smmu_broker_client_commands(client.pointer, vsmmu.rawValue, list, UInt32(list.count), &progress)
        }
        return progress.completed
    }

    package func bindDoorbell(
        iova: IOVA, ipa: IPA, of vsid: StreamID, on vsmmu: VSMMUID
    ) throws(BrokerError) -> MSIDoorbellReply {
        var reply = smmu_broker_msi_doorbell_reply()
        try request { client in
            // SAFETY: the call fills one structure, and keeps no pointer.
            unsafe smmu_broker_client_msi_doorbell(
                client.pointer, vsmmu.rawValue, vsid.rawValue, iova.rawValue, ipa.rawValue, &reply)
        }
        return MSIDoorbellReply(base: IOVA(reply.base), size: reply.size)
    }

    /// Answers a stalled transaction.
    package func respond(
        _ code: PageResponseRequest.Code, to stag: StallTag, of vsid: StreamID, on vsmmu: VSMMUID
    ) throws(BrokerError) {
        try request { client in
            // SAFETY: the call keeps no pointer.
            unsafe smmu_broker_client_page_response(
                client.pointer, vsmmu.rawValue, vsid.rawValue, stag.rawValue, code.rawValue)
        }
    }
}

extension DeviceAttachReply {
    fileprivate init(_ reply: smmu_broker_device_attach_reply) {
        self.init(
            msiBase: IOVA(reply.msi_base), msiSize: reply.msi_size, flags: Flags(rawValue: reply.flags),
            pasidBits: reply.pasid_bits, physicalStream: StreamID(reply.physical_stream),
            state: ContextState(rawValue: reply.state) ?? .abort)
    }
}
