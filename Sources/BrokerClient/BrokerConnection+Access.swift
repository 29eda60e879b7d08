import CSMMUBroker
import SMMUv3
package import Wire

extension BrokerConnection {
    /// One access of 4 bytes without data, by a device of the model.
    package func translate(
        _ target: AccessRequest.Target, write: Bool = false
    ) throws(BrokerError) -> AccessReply {
        var reply = smmu_broker_access_reply()
        let flags = target.cFlags.union(write ? .write : [])
        try request { client in
            // SAFETY: the call fills one structure, and keeps no pointer.
            unsafe smmu_broker_client_translate(
                client.pointer, target.vsmmu.rawValue, target.vsid.rawValue, target.iova.rawValue, target.cSubstream,
                flags.rawValue, &reply)
        }
        return AccessReply(reply)
    }

    /// What a device of the model read.
    package struct DeviceRead: Hashable, Sendable {
        package var reply: AccessReply
        /// All bytes, or none when the access did not come through.
        package var data: [UInt8]
    }

    /// Has a device of the model read 1 to ``Limits/data`` bytes.
    package func read(_ target: AccessRequest.Target, size: Int) throws(BrokerError) -> DeviceRead {
        var reply = smmu_broker_access_reply()
        var data = [UInt8](repeating: 0, count: min(max(size, 0), Limits.data))
        let wanted = UInt32(clamping: size)
        let count = try request { client in
            // SAFETY: the call refuses sizes for which `data` has no room, fills it and one structure, and keeps no pointer.
            unsafe smmu_broker_client_dma_read(
                client.pointer, target.vsmmu.rawValue, target.vsid.rawValue, target.iova.rawValue, target.cSubstream,
                target.cFlags.rawValue, &data, wanted, &reply)
        }
        data.removeSubrange(Int(count)...)
        return DeviceRead(reply: AccessReply(reply), data: data)
    }

    /// Has a device of the model write 1 to ``Limits/data`` bytes.
    package func write(_ data: [UInt8], to target: AccessRequest.Target) throws(BrokerError) -> AccessReply {
        var reply = smmu_broker_access_reply()
        try request { client in
            // SAFETY: the call reads `data.count` bytes, fills one structure, and keeps no pointer.
            unsafe smmu_broker_client_dma_write(
                client.pointer, target.vsmmu.rawValue, target.vsid.rawValue, target.iova.rawValue, target.cSubstream,
                target.cFlags.rawValue, data, UInt32(clamping: data.count), &reply)
        }
        return AccessReply(reply)
    }
}

extension AccessRequest.Target {
    fileprivate var cSubstream: UInt32 { substream?.rawValue ?? 0 }
    fileprivate var cFlags: AccessRequest.Flags {
        substream == nil ? flags.subtracting(.substream) : flags.union(.substream)
    }
}

extension AccessReply {
    fileprivate init(_ reply: smmu_broker_access_reply) {
        self.init(
            stage1: Outcome(rawValue: reply.stage1) ?? .abort, stage2: Outcome(rawValue: reply.stage2) ?? .abort,
            ipa: IPA(reply.ipa), permissions: Permissions(rawValue: reply.permissions), recorded: reply.recorded != 0,
            event: EventRecord(reply.event.0, reply.event.1, reply.event.2, reply.event.3), size: reply.size)
    }
}
