import BrokerCore
import LinuxSystem
import Wire

/// Puts the descriptors of a packet into a session's table and finds out what each of them is, before anything else looks
/// at them.
enum DescriptorIntake {
    static func take(_ packet: inout ReceivedPacket, into descriptors: DescriptorTable) -> [ReceivedFile] {
        var files: [ReceivedFile] = []
        for index in 0..<packet.descriptorCount {
            guard let fd = packet.takeDescriptor(index) else { continue }
            var file = inspect(fd)
            file.resource = ResourceID(descriptors.insert(fd))
            files.append(file)
        }
        return files
    }

    /// A descriptor about which the kernel says nothing is nothing that anybody asked for.
    private static func inspect(_ fd: borrowing OwnedFD) -> ReceivedFile {
        var file = ReceivedFile(resource: ResourceID(0), kind: .other)
        do throws(Errno) {
            let memory = try fd.inspectMemory()
            (file.size, file.readable, file.writable) = (memory.size, memory.readable, memory.writable)
            file.sealedAgainstShrinking = memory.seals.contains(.shrink)
            switch memory.kind {
            case .shmem: file.kind = .shmem
            case .hugetlb: file.kind = .hugetlb
            // Only vfio-pci lends BARs.
            case .dmabuf: file.kind = fd.dmabufExporter()?.hasPrefix("vfio_pci") ?? false ? .deviceMemory : .other
            case .other: file.kind = try kind(of: fd)
            }
        } catch { file.kind = .other }
        return file
    }

    private static func kind(of fd: borrowing OwnedFD) throws(Errno) -> ReceivedFile.Kind {
        switch try fd.kind() {
        case .seqPacketSocket: .seqPacketSocket
        case .eventFD: .eventFD
        case .other: .other
        }
    }
}
