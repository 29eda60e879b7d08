import SMMUv3
import Scenarios
import Testing

struct CommandMakingTests {
    struct Vector: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let made: Command
        let words: Command

        init(_ name: String, _ made: Command, _ d0: UInt64, _ d1: UInt64) {
            (testDescription, self.made, words) = (name, made, Command(d0: d0, d1: d1))
        }
    }

    static let vectors = [
        Vector("CFGI_CD", .cfgiCD(StreamID(0x20), SubstreamID(3)), 0x0000_0020_0000_3005, 1),
        Vector("CFGI_CD_ALL", .cfgiCDAll(StreamID(0x20)), 0x0000_0020_0000_0006, 0),
        Vector("NH_ASID", .tlbi(.tlbiNHASID, asid: 0x42), 0x0042_0000_0000_0011, 0),
        Vector(
            "NH_VA", .tlbi(.tlbiNHVA, asid: 0x42, address: 0x7f00_1234_5000, leaf: true), 0x0042_0000_0000_0012,
            0x0000_7f00_1234_5001),
        Vector(
            "NH_VA of 512 pages",
            .tlbi(
                .tlbiNHVA, asid: 0x42, address: 0x4000_0000, span: .init(granule: .k4, scale: 9, ttl: 3), leaf: true),
            0x0042_0000_0090_0012, 0x0000_0000_4000_0701),
        Vector("ATC_INV of everything", .atcInv(StreamID(0x20)), 0x0000_0020_0000_0040, 0x34),
    ]

    @Test("cmd.vectors: the published commands say what they mean, and are made from it", arguments: vectors)
    func vector(_ vector: Vector) throws {
        #expect(vector.made == vector.words)
        #expect(vector.words.reservedBits == (0, 0))
        #expect(vector.words.illegality(on: everything()) == nil)
        let bytes = vector.words.littleEndianBytes
        #expect(bytes[0] == UInt8(truncatingIfNeeded: vector.words.d0), "the opcode is the first byte")
        #expect(Command(littleEndianBytes: bytes) == vector.words)
    }

    @Test("The published commands read back as what they were made from")
    func readBack() {
        let commands = Self.vectors.map(\.words)
        #expect(commands[0].streamID == StreamID(0x20) && commands[0].substreamID == SubstreamID(3))
        #expect(commands[0].opcode == .cfgiCD && commands[0].leaf)
        #expect(commands[1].opcode == .cfgiCDAll && commands[1].streamID == StreamID(0x20))
        #expect(commands[2].opcode == .tlbiNHASID && commands[2].asid == 0x42 && commands[2].vmid == 0)
        #expect(commands[3].opcode == .tlbiNHVA && commands[3].address == 0x7f00_1234_5000 && commands[3].leaf)
        #expect(commands[4].tg == 1 && commands[4].scale == 9 && commands[4].num == 0 && commands[4].ttl == 3)
        #expect(commands[4].summary == "drop translations of 512 pages of 4K from 0x40000000")
        #expect(commands[5].opcode == .atcInv && commands[5].atcSize == 52 && !commands[5].substreamValid)
    }

    @Test("Commands that are made read back as what they were made from, with no reserved bit set", arguments: seeds)
    func roundTrip(seed: UInt64) {
        var random = SplitMix64(seed: seed)
        let (stream, substream) = (StreamID(UInt32(random.bits(32))), SubstreamID(UInt32(random.bits(20))))
        let (flag, address, size) = (random.chance(50), random.next(), random.below(53))
        let tag = UInt16(random.bits(16))

        let named: [Command] = [
            .prefetchConfig(stream, substream), .cfgiSTE(stream, leaf: flag), .cfgiCD(stream, substream, leaf: flag),
            .cfgiCDAll(stream), .cfgiSTERange(stream, range: 5), .resume(stream, tag: tag, .retry), .stallTerm(stream),
            .atcInv(stream, substream, address: address, size: size),
        ]
        let opcodes: [Command.Opcode] = [
            .prefetchConfig, .cfgiSTE, .cfgiCD, .cfgiCDAll, .cfgiSTERange, .resume, .stallTerm, .atcInv,
        ]
        #expect(named.map(\.opcode) == opcodes)
        for command in named {
            #expect(command.streamID == stream && command.reservedBits == (0, 0), "\(command.name), seed \(seed)")
        }
        #expect([named[0], named[2], named[7]].allSatisfy { $0.substreamID == substream }, "seed \(seed)")
        #expect(named[0].substreamValid && named[7].substreamValid && !named[7].global, "seed \(seed)")
        #expect(named[1].leaf == flag && named[2].leaf == flag, "seed \(seed)")
        #expect(named[5].stag == tag && named[7].atcSize == size && named[7].address == address & ~0xfff)
        #expect(!Command.prefetchConfig(stream).substreamValid && !Command.atcInv(stream).substreamValid)
        let global = Command.atcInv(stream, global: true)
        #expect(global.global && global.substreamValid, "Global means something only with SSV")
        for action in [Command.ResumeAction.terminate, .retry, .abort] {
            #expect(Command.resume(stream, tag: tag, action).resumeAction == action)
        }
        let interrupt = Command.SyncSignal.interrupt(address: address & 0x000f_ffff_ffff_fffc, data: stream.rawValue)
        for signal in [Command.SyncSignal.none, .event, interrupt] {
            let command = Command.sync(signal)
            #expect(command.syncSignal == signal && command.reservedBits == (0, 0), "seed \(seed)")
        }
    }

    @Test("TLB invalidations that are made read back as what they were made from", arguments: seeds)
    func invalidations(seed: UInt64) {
        var random = SplitMix64(seed: seed)
        let (vmid, asid, address) = (UInt16(random.bits(16)), UInt16(random.bits(16)), random.next())
        let granule = random.pick([nil, Granule.k4, .k16, .k64])
        let (num, scale, ttl) = (random.below(32), random.below(32), random.below(4))
        let span = Command.Span(granule: granule, num: num, scale: scale, ttl: ttl)
        let leaf = random.chance(50)
        let command = Command.tlbi(.tlbiNHVA, vmid: vmid, asid: asid, address: address, span: span, leaf: leaf)
        #expect(command.vmid == vmid && command.asid == asid && command.leaf == leaf, "seed \(seed)")
        #expect(command.address == address & ~0xfff && command.ipa == address & 0x000f_ffff_ffff_f000)
        #expect(command.num == num && command.scale == scale && command.ttl == ttl, "seed \(seed)")
        #expect(Granule(commandTG: command.tg) == granule, "seed \(seed)")
        #expect(command.reservedBits == (0, 0), "seed \(seed)")
        #expect(Command(littleEndianBytes: command.littleEndianBytes) == command, "seed \(seed)")
    }

    @Test("A number too large for its field does not reach into the next one")
    func overflow() {
        let span = Command.Span(granule: .k4, num: 32 + 1, scale: 32 + 2, ttl: 4 + 3)
        let command = Command.tlbi(.tlbiNHVA, address: 0x1000, span: span)
        #expect(command.num == 1 && command.scale == 2 && command.ttl == 3 && command.reservedBits == (0, 0))
        #expect(Command.cfgiCD(StreamID(1), SubstreamID(.max)).streamID == StreamID(1))
        #expect(Command.cfgiSTERange(StreamID(1), range: 32 + 4) == .cfgiSTERange(StreamID(1), range: 4))
    }
}
