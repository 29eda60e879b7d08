package import IOMMUFD
package import LinuxSystem
package import SMMUv3

extension FakeKernel {
    package func hardwareInfo(of device: UInt32) throws(Errno) -> HardwareInfo {
        try enter(.hardwareInfo)
        let device = try self.device(device)
        return HardwareInfo(
            registers: device.smmu.registers, repeatsTLBIAndCFGI: device.smmu.repeatsTLBIAndCFGI,
            pasidBits: device.pasidBits, hasATS: device.hasATS)
    }

    package func allocateNestParent(for device: UInt32, over ioas: UInt32) throws(Errno) -> UInt32 {
        try enter(.nestParent)
        let smmu = try self.device(device).smmu
        // Not ENOENT, as for other ids.
        guard case .ioas(let space)? = objects[ioas]?.kind else { throw .invalid }
        if !smmu.nests { throw .notSupported }
        if smmu.freeVMIDs == 0 { throw .noSpace }
        try pin(space)
        smmu.freeVMIDs -= 1
        return insert(.parent(ioas: ioas, smmu), using: [ioas])
    }

    package func allocateVIOMMU(for device: UInt32, over nestParent: UInt32) throws(Errno) -> UInt32 {
        try enter(.viommu)
        let smmu = try self.device(device).smmu
        guard let parent = objects[nestParent] else { throw .notFound }
        guard case .parent(_, let parentSMMU) = parent.kind, parentSMMU === smmu else { throw .invalid }
        if !smmu.coherent { throw .notSupported }
        let id = insert(.viommu(parent: nestParent, smmu), using: [nestParent])
        hardware?.made(viommu: id, on: smmu)
        return id
    }

    package func allocateNested(
        for device: UInt32, in viommu: UInt32, word0: UInt64, word1: UInt64, faultQueue: UInt32?
    ) throws(Errno) -> UInt32 {
        try enter(.nested)
        let smmu = try self.device(device).smmu
        guard case .viommu(_, let other)? = objects[viommu]?.kind, other === smmu else { throw .invalid }
        // With V = 0 nothing else is looked at.
        let words = word0 & 1 == 0 ? (0, 0) : (word0, word1)
        try Self.checkSTE(words.0, words.1)
        var used = [viommu]
        if let faultQueue {
            guard case .faults? = objects[faultQueue]?.kind else { throw .notFound }
            used.append(faultQueue)
        }
        return insert(.nested(viommu: viommu, word0: words.0, word1: words.1), using: used)
    }

    /// arm_smmu_validate_vste.
    private static func checkSTE(_ word0: UInt64, _ word1: UInt64) throws(Errno) {
        if word0 & ~0xf80f_ffff_ffff_ffff != 0 || word1 & ~0x0000_0000_3800_00ff != 0 { throw .inputOutput }
        if ![0, 4, 5].contains(word0 >> 1 & 7) || word1 >> 28 & 3 > 1 { throw .inputOutput }
    }

    package func allocateVDevice(_ vsid: StreamID, for device: UInt32, in viommu: UInt32) throws(Errno) -> UInt32 {
        try enter(.vdevice)
        let device = try self.device(device)
        guard let object = objects[viommu], case .viommu(_, let smmu) = object.kind else { throw .notFound }
        if smmu !== device.smmu { throw .invalid }
        if vdevice(of: device) != nil || self.device(with: vsid, in: viommu) != nil { throw .exists }
        return insert(.vdevice(viommu: viommu, device, vsid), using: [viommu])
    }

    private func device(with vsid: StreamID, in viommu: UInt32) -> FakeDevice? {
        for object in objects.values {
            if case .vdevice(viommu, let device, vsid) = object.kind { return device }
        }
        return nil
    }

    // MARK: Invalidation

    /// Commands are converted one by one and issued in blocks of 63. What stops the conversion drops the block that is not
    /// full yet, though `entry_num` counts it.
    package func invalidate(_ commands: Span<Command>, in viommu: UInt32) throws(Errno) {
        // No memory for the copy: the number stays as it was given.
        lastEntryNumber = commands.count
        try enter(.invalidate)
        lastEntryNumber = 0
        guard let object = objects[viommu] else { throw .notFound }
        if case .nested = object.kind { throw .notSupported }
        guard case .viommu(_, let smmu) = object.kind else { throw .invalid }
        if commands.isEmpty || commands.count > 1 << 19 { throw .invalid }
        var block: [Command] = []
        for index in commands.indices {
            lastEntryNumber = index
            guard hasVDevice(commands[index], in: viommu),
                NestedVSMMU.refusal(of: commands[index], advertised: smmu.registers) == nil
            else { throw .inputOutput }
            block.append(commands[index])
            if block.count == 63 || index == commands.count - 1 {
                try issue(block, in: viommu, on: smmu)
                block = []
            }
        }
        lastEntryNumber = commands.count
    }

    private func hasVDevice(_ command: Command, in viommu: UInt32) -> Bool {
        switch command.opcode {
        case .cfgiCD, .cfgiCDAll, .atcInv: device(with: command.streamID, in: viommu) != nil
        default: true
        }
    }

    private func issue(_ block: [Command], in viommu: UInt32, on smmu: FakeSMMU) throws(Errno) {
        let unanswered = block.contains {
            $0.opcode == .atcInv && device(with: $0.streamID, in: viommu)?.isUnresponsive ?? false
        }
        if unanswered { throw .timedOut }
        smmu.executed += block.map { physical($0, in: viommu) }
        hardware?.execute(block, in: viommu)
    }

    /// A guest's command with the numbers of the hardware: the VMID is the vIOMMU's id here.
    private func physical(_ command: Command, in viommu: UInt32) -> Command {
        var command = command
        switch command.opcode {
        case .cfgiCD, .cfgiCDAll, .atcInv:
            let stream = device(with: command.streamID, in: viommu)?.streamID ?? command.streamID
            command.d0.setBits(63, 32, UInt64(stream.rawValue))
        case .tlbiNSNHAll: command = .tlbi(.tlbiNHAll, vmid: UInt16(truncatingIfNeeded: viommu))
        default: command.d0.setBits(47, 32, UInt64(viommu))
        }
        return command
    }
}
