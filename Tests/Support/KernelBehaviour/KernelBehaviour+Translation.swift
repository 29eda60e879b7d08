import IOMMUFD
import LinuxSystem
import SMMUv3

extension KernelBehaviour {
    static let translations: [KernelBehaviour] = [
        KernelBehaviour("a stage 1 wants a vDevice before it is attached, ABORT and bypass do not") { subject in
            let setup = try subject.setUp()
            let stage1 = try setup.nested(STEWord.translate)
            subject.expect(.notFound, "attaching a stage 1") { try setup.attach(stage1) }
            for word in [STEWord.abort, STEWord.bypass] {
                let nested = try setup.nested(word)
                subject.expect(nil, "attaching STE \(word)") { try setup.attach(nested) }
            }
            _ = try setup.kernel.allocateVDevice(StreamID(7), for: setup.device, in: setup.viommu)
            subject.expect(nil, "attaching a stage 1 with a vDevice") { try setup.attach(stage1) }
        },
        KernelBehaviour("one translation replaces any other, and attaching the same again is done") { subject in
            let setup = try subject.setUp()
            _ = try setup.kernel.allocateVDevice(StreamID(7), for: setup.device, in: setup.viommu)
            let words = [STEWord.abort, STEWord.bypass, STEWord.translate, STEWord.translate | 1 << 59]
            let all = try words.map { try setup.nested($0) } + [setup.parent]
            for from in all {
                for to in all {
                    subject.expect(nil, "\(from)") { try setup.attach(from) }
                    subject.expect(nil, "\(from) to \(to)") { try setup.attach(to) }
                }
            }
            try setup.detach()
            for nested in all.dropLast() {
                subject.expect(nil, "destroying one that was replaced") { try setup.kernel.destroy(nested) }
            }
        },
        KernelBehaviour("STEs with other bits than a nested one may have are EIO") { subject in
            let setup = try subject.setUp()
            let translate = STEWord.translate
            let entries: [(word0: UInt64, word1: UInt64, errno: Errno?)] = [
                (translate, 0, nil), (translate, 0x3800_00ff & ~(1 << 29), nil),
                (translate, 2 << 28, .inputOutput), (translate | 1 << 52, 0, .inputOutput),
                (translate, 1 << 44, .inputOutput), (1 | 6 << 1, 0, .inputOutput), (1 | 7 << 1, 0, .inputOutput),
                (1 | 1 << 1, 0, .inputOutput), (STEWord.abort, 2 << 28, .inputOutput), (~1, .max, nil),
            ]
            for (word0, word1, errno) in entries {
                subject.expect(errno, "STE \(String(word0, radix: 16)) \(String(word1, radix: 16))") {
                    _ = try setup.nested(word0, word1)
                }
            }
        },
    ]

    static let invalidations: [KernelBehaviour] = [
        KernelBehaviour("commands are taken as our tables say, and the others are EIO") { subject in
            let setup = try subject.setUp()
            let registers = try setup.kernel.hardwareInfo(of: setup.device).registers
            _ = try setup.kernel.allocateVDevice(StreamID(7), for: setup.device, in: setup.viommu)
            for command in samples {
                let refused = NestedVSMMU.refusal(of: command, advertised: registers) != nil
                subject.expect(refused ? .inputOutput : nil, "\(command)") {
                    let batch = [command]
                    try setup.kernel.invalidate(batch.span, in: setup.viommu)
                }
            }
        },
        KernelBehaviour("a command for a StreamID without a vDevice is EIO") { subject in
            let setup = try subject.setUp()
            let batch = [Command.cfgiCDAll(StreamID(7))]
            subject.expect(.inputOutput, "before there is one") {
                try setup.kernel.invalidate(batch.span, in: setup.viommu)
            }
            let vdevice = try setup.kernel.allocateVDevice(StreamID(7), for: setup.device, in: setup.viommu)
            subject.expect(nil, "with one") { try setup.kernel.invalidate(batch.span, in: setup.viommu) }
            try setup.kernel.destroy(vdevice)
            subject.expect(.inputOutput, "afterwards") { try setup.kernel.invalidate(batch.span, in: setup.viommu) }
        },
        KernelBehaviour("a batch has 1 to 2^19 commands, and one that is wrong ends it with EIO") { subject in
            let setup = try subject.setUp()
            let good = Command.tlbi(.tlbiNHASID, asid: 5)
            func invalidate(_ batch: [Command]) throws { try setup.kernel.invalidate(batch.span, in: setup.viommu) }
            for count in [1, 62, 63, 64, 126, 4096] {
                subject.expect(nil, "\(count) commands") { try invalidate(Array(repeating: good, count: count)) }
            }
            subject.expect(.invalid, "none") { try invalidate([]) }
            subject.expect(.invalid, "too many") { try invalidate(Array(repeating: good, count: 1 << 19 + 1)) }
            for place in [0, 1, 62, 63, 100] {
                var batch = [Command](repeating: good, count: 128)
                batch[place] = .sync()
                subject.expect(.inputOutput, "a CMD_SYNC at \(place)") { try invalidate(batch) }
            }
        },
    ]

    /// One of each opcode, and those that may pass with each of their bits turned, one at a time.
    private static var samples: [Command] {
        let stream = StreamID(7)
        let passing: [Command] = [
            .cfgiCD(stream, SubstreamID(0)), .cfgiCDAll(stream), .make(.tlbiNHAll), .make(.tlbiNSNHAll),
            .tlbi(.tlbiNHASID, asid: 5), .tlbi(.tlbiNHVA, asid: 5, address: 0x7000), .tlbi(.tlbiNHVAA, address: 0x7000),
        ]
        var all = (0...255).map { Command(d0: UInt64($0), d1: 0) }
        // Another StreamID than ours is EIO for another reason.
        for command in passing {
            let names = command.opcode == .cfgiCD || command.opcode == .cfgiCDAll
            for bit in 8..<64 where !names || bit < 32 {
                all.append(Command(d0: command.d0 ^ 1 << UInt64(bit), d1: command.d1))
            }
            for bit in 0..<64 { all.append(Command(d0: command.d0, d1: command.d1 ^ 1 << UInt64(bit))) }
        }
        // Opcodes that name a StreamID name one that is not there.
        return all.filter { command in
            switch command.opcode {
            case .cfgiCD, .cfgiCDAll, .atcInv: command.streamID == stream
            default: true
            }
        }
    }
}
