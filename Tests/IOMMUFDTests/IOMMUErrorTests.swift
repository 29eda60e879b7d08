import FakeKernel
import IOMMUFD
import LinuxSystem
import SMMUv3
import Testing

/// What the kernel's errors mean, by the call: whose fault it is, and what to do.
@Suite struct IOMMUErrorTests {
    private static let table: [(IOMMUCall, Errno, IOMMUError.Cause, String, Bool)] = [
        (.open, .notFound, .kernelTooOld, "Linux 6.15", false),
        (.eventQueue, .noSuchRequest, .kernelTooOld, "Linux 6.15", false),
        (.bind, .busy, .deviceInUse, "vfio-pci", false),
        (.bind, .invalid, .deviceInUse, "closed", false),
        (.bind, .notPermitted, .interruptsNotIsolated, "allow_unsafe_interrupts", false),
        (.bind, .notFound, .noDevice, "vfio-pci", false),
        (.hardwareInfo, .notSupported, .noNesting, "CONFIG_ARM_SMMU_V3_IOMMUFD", false),
        (.nestParent(bytes: 0), .notSupported, .noNesting, "both stages", false),
        (.nestParent(bytes: 0), .noSpace, .noVMID, "VMIDs", false),
        (.nestParent(bytes: 4096), .noMemory, .memory(4096), "4096 bytes are needed: raise LimitMEMLOCK=", true),
        (.viommu, .notSupported, .notCoherent, "CANWBS", false),
        (.mapFile(bytes: 8192), .noMemory, .memory(8192), "8192 bytes are needed", true),
        (.mapFile(bytes: 1), .exists, .addressTaken, "unmap it first", false),
        (.mapFile(bytes: 1), .invalid, .addressReserved, "0x8000000", false),
        (.attach, .inUse, .addressReserved, "MSI window", false),
        (.allowIOVAs, .inUse, .addressReserved, "MSI window", false),
        (.vdevice, .exists, .vdeviceTaken, "its own", false),
        (.attach, .notFound, .noVDevice, "virtual StreamID", false),
        (.attach, .busy, .busy, "try again", true),
        (.detach, .busy, .busy, "try again", true),
        (.invalidate, .timedOut, .timedOut, "within a second", false),
        (.invalidate, .noMemory, .memory(0), "short of memory", true),
        (.invalidate, .inputOutput, .rejected, "no fault of the guest", false),
        (.nested, .inputOutput, .rejected, "no fault of the guest", false),
        (.attach, .notSupported, .noStalls, "CONFIG_ARM_SMMU_V3_SVA", false),
        (.mapFile(bytes: 1), .notSupported, .notMappable, "memfd", false),
        (.mapFile(bytes: 1), .noDevice, .notMappable, "memory enabled", false),
        (.open, .noDescriptors, .noDescriptors, "LimitNOFILE=", false),
        (.bind, .noSystemDescriptors, .noDescriptors, "descriptor", false),
        (.readEvents, .protocolError, .garbled, "newer than this daemon", false),
        (.faultQueue, .noSuchRequest, .kernelTooOld, "Linux 6.15", false),
        (.detach, .invalid, .other, "log", false),
        (.attach, .accessDenied, .notPermitted, "DeviceAllow=", false),
    ]

    @Test("each error says what it means for its call, and whether to try again", arguments: table.indices)
    func meaning(row: Int) {
        let (call, errno, cause, words, transient) = Self.table[row]
        let error = IOMMUError(errno, call, "do it")
        #expect(error.cause == cause && error.isTransient == transient)
        #expect(error.advice.contains(words), "\(error.advice)")
        #expect(error.description.hasPrefix("Failed to do it: ") && error.description.hasSuffix("."))
    }

    @Test("what the fake kernel refuses arrives with its cause") func causes() throws {
        let bench = try Bench()
        let smmu = bench.device(0).smmu
        let device = try bench.bind(0)
        let ioas = try IOAS(bench.kernel)
        func cause(_ work: () throws -> Void) -> IOMMUError.Cause? {
            do {
                try work()
                return nil
            } catch { return (error as? IOMMUError)?.cause }
        }
        #expect(cause { _ = try bench.bind(0) } == .deviceInUse)
        smmu.nests = false
        #expect(cause { _ = try NestParent(for: device, over: ioas) } == .noNesting)
        (smmu.nests, smmu.freeVMIDs) = (true, 0)
        #expect(cause { _ = try NestParent(for: device, over: ioas) } == .noVMID)
        smmu.freeVMIDs = 1
        let parent = try NestParent(for: device, over: ioas)
        smmu.coherent = false
        #expect(cause { _ = try VIOMMU(for: device, over: parent) } == .notCoherent)
        smmu.coherent = true
        let viommu = try VIOMMU(for: device, over: parent)
        let nested = try NestedHWPT(for: device, in: viommu, word0: Word.translate, word1: 0)
        #expect(cause { try device.attach(nested) } == .noVDevice)
        bench.device(0).isResetting = true
        #expect(cause { try device.attach(nested) } == .busy)
    }
}
