import IOMMUFD
import LinuxSystem
import SMMUv3

extension KernelBehaviour {
    static let objects: [KernelBehaviour] = [
        KernelBehaviour("an object that something refers to is EBUSY") { subject in
            let setup = try subject.setUp()
            let kernel = setup.kernel
            let nested = try setup.nested(STEWord.abort)
            let vdevice = try kernel.allocateVDevice(StreamID(7), for: setup.device, in: setup.viommu)
            try setup.attach(nested)
            let used = [
                ("IOAS", setup.ioas), ("nest parent", setup.parent), ("vIOMMU", setup.viommu), ("nested HWPT", nested),
                ("device", setup.device),
            ]
            for (name, id) in used { subject.expect(.busy, "destroying the \(name)") { try kernel.destroy(id) } }
            try setup.detach()
            for id in [nested, vdevice, setup.viommu, setup.parent, setup.ioas] {
                subject.expect(nil, "destroying object \(id) in order") { try kernel.destroy(id) }
            }
            subject.expect(.notFound, "destroying it again") { try kernel.destroy(nested) }
        },
        KernelBehaviour("numbers of objects are used again, the lowest first") { subject in
            let kernel = try subject.machine.open()
            let ids = try (0..<3).map { _ in try kernel.allocateIOAS() }
            subject.expect(ids == ids.sorted(), "numbers grow")
            try kernel.destroy(ids[1])
            let next = try kernel.allocateIOAS()
            subject.expect(next == ids[1], "the number that is free is given out")
        },
        KernelBehaviour("objects of other kinds and unknown ones have errors of their own") { subject in
            let setup = try subject.setUp()
            let kernel = setup.kernel
            let nested = try setup.nested(STEWord.abort)
            let flush: [Command] = [.make(.tlbiNHAll)]
            subject.expect(.notFound, "a nest parent for no device") {
                _ = try kernel.allocateNestParent(for: 99, over: setup.ioas)
            }
            subject.expect(.invalid, "a nest parent over nothing") {
                _ = try kernel.allocateNestParent(for: setup.device, over: 99)
            }
            subject.expect(.notFound, "a vIOMMU over nothing") {
                _ = try kernel.allocateVIOMMU(for: setup.device, over: 99)
            }
            subject.expect(.invalid, "a nested HWPT in nothing") {
                _ = try kernel.allocateNested(for: setup.device, in: 99, word0: 1, word1: 0, faultQueue: nil)
            }
            subject.expect(.notFound, "a vDevice in nothing") {
                _ = try kernel.allocateVDevice(StreamID(1), for: setup.device, in: 99)
            }
            subject.expect(.notSupported, "invalidating a nested HWPT") {
                try kernel.invalidate(flush.span, in: nested)
            }
            subject.expect(.invalid, "invalidating a nest parent") {
                try kernel.invalidate(flush.span, in: setup.parent)
            }
            subject.expect(.notFound, "invalidating nothing") { try kernel.invalidate(flush.span, in: 99) }
            subject.expect(.invalid, "attaching a vIOMMU") { try setup.attach(setup.viommu) }
            subject.expect(.notFound, "attaching nothing") { try setup.attach(99) }
            subject.expect(.notFound, "asking for no device") { _ = try kernel.hardwareInfo(of: 99) }
        },
    ]

    static let devices: [KernelBehaviour] = [
        KernelBehaviour("a vSID and a device have one vDevice each") { subject in
            let setup = try subject.setUp()
            let (kernel, viommu) = (setup.kernel, setup.viommu)
            let second = try kernel.bind(subject.machine.devices[1])
            let other = second.id
            _ = try kernel.allocateVDevice(StreamID(7), for: setup.device, in: viommu)
            subject.expect(.exists, "another vSID for the device") {
                _ = try kernel.allocateVDevice(StreamID(8), for: setup.device, in: viommu)
            }
            subject.expect(.exists, "the same vSID for another device") {
                _ = try kernel.allocateVDevice(StreamID(7), for: other, in: viommu)
            }
            subject.expect(nil, "another vSID for another device") {
                _ = try kernel.allocateVDevice(StreamID(8), for: other, in: viommu)
            }
        },
        KernelBehaviour("a device has one iommufd, until the last copy of its descriptor is closed") { subject in
            let setup = try subject.setUp()
            let stranger = try subject.machine.open()
            func bind() throws {
                // Given back at once.
                _ = try stranger.bind(subject.machine.devices[0])
            }
            let copy = try setup.descriptor.duplicate()
            setup.descriptor.close()
            subject.expect(.invalid, "binding it while a copy is open", bind)
            copy.close()
            subject.expect(nil, "binding it afterwards", bind)
        },
        KernelBehaviour("when a device is closed its vDevice goes with it, and that number is gone for good") {
            subject in
            let setup = try subject.setUp()
            let kernel = setup.kernel
            let vdevice = try kernel.allocateVDevice(StreamID(7), for: setup.device, in: setup.viommu)
            let nested = try setup.nested(STEWord.translate)
            try setup.attach(nested)
            setup.descriptor.close()
            subject.expect(.notFound, "destroying the vDevice") { try kernel.destroy(vdevice) }
            let ids = try (0..<8).map { _ in try kernel.allocateIOAS() }
            subject.expect(!ids.contains(vdevice), "nothing else gets the vDevice's number")
            for id in [nested, setup.viommu, setup.parent, setup.ioas] {
                subject.expect(nil, "destroying object \(id)") { try kernel.destroy(id) }
            }
        },
        KernelBehaviour("a device answers by its number as long as a copy is open, and then the number is free") {
            subject in
            let setup = try subject.setUp()
            let kernel = setup.kernel
            let witness = try kernel.witness(of: setup.device)
            let copy = try setup.descriptor.duplicate()
            setup.descriptor.close()
            subject.expect(witness.isHeld, "it is held as long as a copy is open")
            subject.expect(nil, "asking for it then") { _ = try kernel.hardwareInfo(of: setup.device) }
            copy.close()
            subject.expect(!witness.isHeld, "it is held no more afterwards")
            subject.expect(.notFound, "asking for it afterwards") { _ = try kernel.hardwareInfo(of: setup.device) }
            let next = try kernel.allocateIOAS()
            subject.expect(next == setup.device, "the next object gets its number")
        },
        KernelBehaviour("what a copy of a device's descriptor is attached to is EBUSY, and free with the last copy") {
            subject in
            let setup = try subject.setUp()
            let kernel = setup.kernel
            let stranger = try subject.machine.open()
            let foreign = try stranger.allocateIOAS()
            try kernel.destroy(setup.viommu)
            let copy = try setup.descriptor.duplicate()
            setup.descriptor.close()
            subject.expect(nil, "attaching the copy to the nest parent") {
                try kernel.attach(raw: copy.raw, to: setup.parent)
            }
            subject.expect(.notFound, "attaching it to a number that only another iommufd has") {
                for _ in 0..<8 { _ = try stranger.allocateIOAS() }
                try kernel.attach(raw: copy.raw, to: foreign + 8)
            }
            subject.expect(.busy, "destroying the nest parent") { try kernel.destroy(setup.parent) }
            copy.close()
            subject.expect(nil, "destroying it afterwards") { try kernel.destroy(setup.parent) }
        },
        KernelBehaviour("a device can be detached twice") { subject in
            let setup = try subject.setUp()
            try setup.attach(try setup.nested(STEWord.bypass))
            for _ in 0..<2 { subject.expect(nil, "detaching") { try setup.detach() } }
        },
    ]
}
