import CSMMUBroker
import SMMUv3
import Testing

private let bypass: [UInt64] = [9, 0, 0, 0, 0, 0, 0, 0]
private let invalid = [UInt64](repeating: 0, count: 8)

@Suite("Drain: stream table entries and page responses")
struct DrainConfigurationTests {
    @Test("A CFGI_STE in the middle of a run takes effect between what stands before and behind it")
    func order() {
        let vmm = FakeVMM()
        vmm.streams = [5]
        vmm.setSTE(5, 9)
        let (before, after) = (invalidations(0..<2), invalidations(2..<4))
        vmm.produce(before + [.cfgiSTE(StreamID(5), leaf: true)] + after + [.sync()])
        #expect(vmm.drain() == 0)
        #expect(
            vmm.effects == [.packet(before)] + before.map(Effect.done) + [.ste(5, bypass), .packet(after)]
                + after.map(Effect.done) + [.sync(0, 0, 0, cons: 6)])
        #expect(vmm.changed == [5])
    }

    @Test("The STE is read when its turn comes, not when the queue is")
    func readLate() {
        let vmm = FakeVMM()
        vmm.streams = [5]
        vmm.setSTE(5, 1)
        vmm.answer = { commands in
            vmm.setSTE(5, 9)
            return .all(commands)
        }
        vmm.produce(invalidations(0..<1) + [.cfgiSTE(StreamID(5))])
        #expect(vmm.drain() == 0)
        #expect(vmm.others == [.ste(5, bypass)])
    }

    @Test("CFGI_ALL sends the STEs of the attached streams and reads no others")
    func all() {
        let vmm = FakeVMM()
        vmm.streams = [200, 3, 77]
        for vsid in [3, 77, 200] as [UInt32] { vmm.setSTE(vsid, 9) }
        vmm.produce(.cfgiAll)
        #expect(vmm.drain() == 0)
        #expect(vmm.effects == [.ste(200, bypass), .ste(3, bypass), .ste(77, bypass)])
        #expect(vmm.reads.count == 4)
    }

    @Test(
        "CFGI_STE_RANGE means the aligned group of 2^(Range+1) streams",
        arguments: [
            (0x20, 0, [0x20, 0x21]), (0x21, 0, [0x20, 0x21]), (0x22, 1, [0x20, 0x21, 0x23]),
            (0x27, 2, [0x20, 0x21, 0x23]), (0, 30, [0x20, 0x21, 0x23, 0x40]), (0x9999_9999, 30, [0x8000_0000]),
            (0x30, 3, []), (0x40, 31, [0x20, 0x21, 0x23, 0x40, 0x8000_0000]),
        ] as [(UInt32, Int, [UInt32])])
    func range(vsid: UInt32, range: Int, expected: [UInt32]) {
        let vmm = FakeVMM()
        vmm.streams = [0x20, 0x21, 0x23, 0x40, 0x8000_0000]
        vmm.readSTE = { _ in bypass }
        vmm.produce(.cfgiSTERange(StreamID(vsid), range: range))
        #expect(vmm.drain() == 0)
        #expect(vmm.effects == expected.map { .ste($0, bypass) })
    }

    @Test("CFGI_STE of a stream that is not attached does nothing and completes")
    func notAttached() {
        let vmm = FakeVMM()
        vmm.streams = [5]
        vmm.produce(.cfgiSTE(StreamID(6)), .sync())
        #expect(vmm.drain() == 0)
        #expect(vmm.effects == [.sync(0, 0, 0, cons: 2)])
    }

    @Test("An STE that cannot be read, or is out of the table, is sent as one that is not valid")
    func unreadable() {
        let vmm = FakeVMM()
        vmm.streams = [5, 256]
        vmm.produce(.cfgiSTE(StreamID(5)), .cfgiSTE(StreamID(256)))
        #expect(vmm.drain() == 0)
        #expect(vmm.effects == [.ste(5, invalid), .ste(256, invalid)])
    }

    @Test("The caller's own reading of STEs is asked first, and its failure is an STE that is not valid")
    func ownReading() {
        let vmm = FakeVMM()
        vmm.streams = [5, 6]
        vmm.setSTE(5, 1)
        vmm.readSTE = { $0 == 5 ? bypass : nil }
        vmm.produce(.cfgiSTE(StreamID(5)), .cfgiSTE(StreamID(6)))
        #expect(vmm.drain() == 0)
        #expect(vmm.effects == [.ste(5, bypass), .ste(6, invalid)])
    }

    @Test("A refused STE ends the drain at its CFGI, and the next goes on there")
    func refused() {
        let vmm = FakeVMM()
        vmm.streams = [5]
        vmm.setSTE(5, 9)
        vmm.steStatus = -16
        vmm.produce(invalidations(0..<1) + [.cfgiSTE(StreamID(5)), .sync()])
        #expect(vmm.drain() == -16)
        #expect(vmm.cons == 1 && vmm.error == SMMU_BROKER_CERROR_NONE && vmm.others.isEmpty)
        vmm.steStatus = 0
        #expect(vmm.drain() == 0)
        #expect(vmm.others == [.ste(5, bypass), .sync(0, 0, 0, cons: 3)])
        #expect(vmm.packets.count == 1)
    }

    @Test("PREFETCH_CONFIG and PREFETCH_ADDR do nothing and complete")
    func prefetch() {
        let vmm = FakeVMM()
        vmm.streams = [5]
        vmm.produce(.prefetchConfig(StreamID(5)), Command(d0: 0x02 | 5 << 32, d1: 0x1000), .sync())
        #expect(vmm.drain() == 0)
        #expect(vmm.effects == [.sync(0, 0, 0, cons: 3)])
    }

    @Test("RESUME and STALL_TERM become page responses, in their place")
    func responses() {
        let vmm = FakeVMM()
        vmm.streams = [5]
        let before = invalidations(0..<1)
        vmm.produce(
            before + [
                .resume(StreamID(5), tag: 1, .retry), .resume(StreamID(5), tag: 2, .terminate),
                .resume(StreamID(5), tag: 0xffff, .abort), Command(d0: 0x44 | 3 << 12 | 5 << 32, d1: 4),
                .stallTerm(StreamID(5)), .resume(StreamID(6), tag: 1, .retry), .stallTerm(StreamID(6)),
            ])
        #expect(vmm.drain() == 0)
        #expect(
            vmm.effects == [
                .packet(before), .done(before[0]),
                .response(5, 1, SMMU_BROKER_PAGE_RETRY.rawValue), .response(5, 2, SMMU_BROKER_PAGE_TERMINATE.rawValue),
                .response(5, 0xffff, SMMU_BROKER_PAGE_ABORT.rawValue),
                .response(5, 4, SMMU_BROKER_PAGE_RETRY.rawValue),
                .response(5, 0, SMMU_BROKER_PAGE_TERMINATE_ALL.rawValue),
            ])
        #expect(vmm.cons == 8)
    }

    @Test("A page response that fails ends the drain at its command")
    func responseFails() {
        let vmm = FakeVMM()
        vmm.streams = [5]
        vmm.responseStatus = -5
        vmm.produce(.sync(), .resume(StreamID(5), tag: 1, .retry))
        #expect(vmm.drain() == -5)
        #expect(vmm.cons == 1)
    }
}
