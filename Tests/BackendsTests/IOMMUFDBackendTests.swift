import Backends
import BrokerCore
import FakeKernel
import IOMMUFD
import LinuxSystem
import SMMUv3
import Testing
import Wire

/// What the iommufd backend does with the kernel: its objects, what hardware sees of a change, and what comes of failures.
@Suite struct IOMMUFDBackendTests {
    private static let everyObject = [
        "IOAS", "device", "nest parent", "nested HWPT", "nested HWPT", "nested HWPT", "nested HWPT", "nested HWPT",
        "vDevice", "vEVENTQ", "vIOMMU",
    ]

    @Test("a device under a vSMMU takes these objects; at the end there are none, and no descriptor") func objects()
        throws
    {
        let host = try IOMMUFDHost()
        do {
            let guest = try Guest(host)
            try guest.attach(0, as: 7, guest.makeSpace().installation)
            #expect(host.kernel.liveObjects == Self.everyObject)
            _ = guest.takeEvents()
        }
        let before = host.descriptors.count
        host.end()
        #expect(host.kernel.liveObjects == [] && !host.fake(0).isBound && host.fake(0).smmu.freeVMIDs == 255)
        // What remains is the guest's memory.
        #expect(host.descriptors.count == before - 1 && host.descriptors.count == 1)
        #expect(host.fake(0).installed == .blocked)
    }

    @Test("detaching and destroying leave nothing either, in the midst of a session") func teardown() throws {
        let host = try IOMMUFDHost()
        let guest = try Guest(host)
        try guest.attach(0, as: 7, guest.makeSpace().installation)
        try host.backend.detach(StreamID(7), from: guest.vsmmu)
        #expect(!host.fake(0).isBound && host.fake(0).installed == .blocked)
        host.backend.destroyVSMMU(guest.vsmmu)
        #expect(host.kernel.liveObjects == ["IOAS"])
        try host.backend.unmap(guest.ram)
        #expect(host.kernel.areas.isEmpty)
    }

    @Test("a device goes from one stage 1 to the next without ABORT between, and each is followed by CFGI_CD_ALL")
    func replacing() throws {
        let host = try IOMMUFDHost()
        let guest = try Guest(host)
        let (first, second) = (guest.makeSpace(asid: 1), guest.makeSpace(asid: 2))
        try guest.attach(0, as: 7, first.installation)
        let start = host.fake(0).history.count
        for round in 0..<100 { try guest.install(round % 2 == 0 ? second.installation : first.installation, for: 7) }
        let seen = host.fake(0).history[start...]
        let translating = seen.count(where: \.translates)
        #expect(seen.count == 100 && translating == 100)
        #expect(host.fake(0).smmu.executed == [Command](repeating: .cfgiCDAll(StreamID(0x100)), count: 101))
        #expect(host.kernel.liveObjects == Self.everyObject, "one HWPT at a time")
    }

    @Test("the same words again reach the hardware as CFGI_CD_ALL only") func sameWords() throws {
        let host = try IOMMUFDHost()
        let guest = try Guest(host)
        let space = guest.makeSpace()
        try guest.attach(0, as: 7, space.installation)
        let (history, executed) = (host.fake(0).history, host.fake(0).smmu.executed)
        try guest.install(space.installation, for: 7)
        #expect(host.fake(0).history == history)
        #expect(host.fake(0).smmu.executed == executed + [.cfgiCDAll(StreamID(0x100))])
    }

    @Test(
        "when a call of an installation fails, what was in effect still is",
        arguments: [FakeKernel.Call.nested, .attach, .invalidate], [Errno.busy, .noMemory, .timedOut, .inputOutput])
    func failedInstall(call: FakeKernel.Call, errno: Errno) throws {
        let host = try IOMMUFDHost()
        let guest = try Guest(host)
        let (first, second) = (guest.makeSpace(asid: 1), guest.makeSpace(asid: 2))
        let ipa = guest.allocate()
        guest.map(first, 0x1000, to: ipa)
        guest.map(second, 0x2000, to: ipa)
        try guest.attach(0, as: 7, first.installation)
        let history = host.fake(0).history.count
        host.kernel.fail(call, errno)
        let failure = #expect(throws: BackendFailure.self) { try guest.install(second.installation, for: 7) }
        #expect(failure?.status.rawValue == UInt32(errno.code))
        #expect(failure?.isTransient == (errno == .busy || errno == .noMemory))
        #expect(guest.reaches(ipa, by: 7, at: 0x1000) && !guest.reaches(ipa, by: 7, at: 0x2000))
        let since = host.fake(0).history[history...]
        let aborting = since.count { !$0.translates }
        #expect(aborting == 0, "never ABORT")
        #expect(host.kernel.liveObjects == Self.everyObject)
        try guest.install(second.installation, for: 7)
        #expect(guest.reaches(ipa, by: 7, at: 0x2000) && !guest.reaches(ipa, by: 7, at: 0x1000))
    }

    @Test("ABORT needs nothing that could be short: one call") func abortNeedsNothing() throws {
        let host = try IOMMUFDHost()
        let guest = try Guest(host)
        try guest.attach(0, as: 7, guest.makeSpace().installation)
        for call in FakeKernel.Call.allCases where call != .attach && call != .destroy {
            host.kernel.fail(call, .noMemory, times: .max)
        }
        let before = host.kernel.history.count
        try guest.install(.abort, for: 7)
        #expect(host.kernel.history[before...] == [.attach, .destroy] && host.fake(0).installed.aborts)
        // Again, because somebody else may have attached another HWPT since.
        try guest.install(.abort, for: 7)
        #expect(host.kernel.history.last == .attach && host.fake(0).installed.aborts)
    }

    @Test("a device that is being reset is busy for a while") func resetting() throws {
        let host = try IOMMUFDHost()
        let guest = try Guest(host)
        let space = guest.makeSpace()
        try guest.attach(0, as: 7, .bypass)
        host.fake(0).isResetting = true
        for installation in [.abort, space.installation] {
            let failure = #expect(throws: BackendFailure.self) { try guest.install(installation, for: 7) }
            #expect(failure?.isTransient == true && failure?.status == .busy)
        }
        let detached = #expect(throws: BackendFailure.self) {
            try host.backend.detach(StreamID(7), from: guest.vsmmu)
        }
        #expect(detached?.isTransient == true)
        host.fake(0).isResetting = false
        try guest.install(space.installation, for: 7)
        #expect(host.fake(0).installed.translates)
    }

    @Test(
        "an attachment that fails leaves the device as it was, free for the next attempt",
        arguments: [FakeKernel.Call.bind, .hardwareInfo, .vdevice, .nested, .attach, .invalidate])
    func failedAttach(call: FakeKernel.Call) throws {
        let host = try IOMMUFDHost()
        let guest = try Guest(host)
        let space = guest.makeSpace()
        let (objects, descriptors) = (host.kernel.liveObjects, host.descriptors.count)
        host.kernel.fail(call, .noMemory)
        #expect(throws: BackendFailure.self) { try guest.attach(0, as: 7, space.installation) }
        #expect(host.kernel.liveObjects == objects && host.descriptors.count == descriptors)
        #expect(!host.fake(0).isBound && host.fake(0).installed == .blocked)
        try guest.attach(0, as: 7, space.installation)
    }

    @Test(
        "a vSMMU that cannot be made leaves nothing",
        arguments: [FakeKernel.Call.bind, .hardwareInfo, .nestParent, .viommu, .nested, .eventQueue], 0..<4)
    func failedCreation(call: FakeKernel.Call, after skip: Int) throws {
        let host = try IOMMUFDHost()
        let guest = try Guest(host)
        let (objects, descriptors) = (host.kernel.liveObjects, host.descriptors.count)
        // Of other calls than `nested` there is one.
        host.kernel.fail(call, .noSpace, after: call == .nested ? skip : 0)
        #expect(throws: BackendFailure.self) {
            try host.backend.createVSMMU(VSMMUID(2), on: host.smmu, advertised: host.advertised)
        }
        #expect(host.kernel.liveObjects == objects && host.descriptors.count == descriptors)
        #expect(host.backend.eventSource(of: VSMMUID(2)) == nil)
        try host.backend.createVSMMU(VSMMUID(2), on: host.smmu, advertised: host.advertised)
        try guest.attach(0, as: 7, .bypass)
    }

    @Test(
        "a new vSID that cannot be had leaves the device with its old one",
        arguments: [FakeKernel.Call.vdevice, .nested, .attach])
    func failedRebind(call: FakeKernel.Call) throws {
        let host = try IOMMUFDHost()
        let guest = try Guest(host)
        let space = guest.makeSpace()
        let ipa = guest.allocate()
        guest.map(space, 0x1000, to: ipa)
        try guest.attach(0, as: 7, space.installation)
        let history = host.fake(0).history.count
        host.kernel.fail(call, .noMemory)
        #expect(throws: BackendFailure.self) {
            try host.backend.rebind(StreamID(7), to: StreamID(8), on: guest.vsmmu)
        }
        #expect(guest.reaches(ipa, by: 7, at: 0x1000) && host.fake(0).history.count == history)
        let outcome = guest.invalidate(.cfgiCDAll(StreamID(7)))
        #expect(outcome == .completed)
        try host.backend.rebind(StreamID(7), to: StreamID(8), on: guest.vsmmu)
        #expect(guest.reaches(ipa, by: 8, at: 0x1000) && host.fake(0).latched == StreamID(8))
        #expect(host.fake(0).history.count == history, "the hardware has not been told of any change")
        #expect(host.kernel.liveObjects == Self.everyObject)
    }

    @Test("whatever is in effect, a new vSID counts from then on", arguments: [Installation.abort, .bypass])
    func rebindOthers(installed: Installation) throws {
        let host = try IOMMUFDHost()
        let guest = try Guest(host)
        try guest.attach(0, as: 7, installed)
        #expect(host.fake(0).latched == StreamID(7))
        for vsid: UInt32 in 8..<12 {
            try host.backend.rebind(StreamID(vsid - 1), to: StreamID(vsid), on: guest.vsmmu)
            #expect(host.fake(0).latched == StreamID(vsid))
        }
    }
}
