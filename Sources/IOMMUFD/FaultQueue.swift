import CIOMMUFD
import LinuxSystem
package import SMMUv3

/// A fault queue: transactions of devices that stall until they are answered (linux/iommufd.h, iommu_hwpt_pgfault).
///
/// The kernel answers by itself, with an abort, all that wait when their device is attached to something else, detached or
/// closed: their cookies are nobody's then.
package final class FaultQueue {
    private let kernel: any IOMMUKernel
    package let id: UInt32
    /// nil only while this is going: the kernel keeps the queue as long as its descriptor is open.
    private var descriptor: OwnedFD?
    private var bytes = [UInt8](repeating: 0, count: FaultQueue.recordsAtOnce * FaultQueue.recordBytes)
    private var position = 0
    private var filled = 0

    private static let recordBytes = 40
    private static let recordsAtOnce = 64

    package init(_ kernel: any IOMMUKernel) throws(IOMMUError) {
        self.kernel = kernel
        do throws(Errno) {
            let handle = try kernel.allocateFaultQueue()
            id = handle.id
            descriptor = Optional(handle.descriptor)
        } catch { throw IOMMUError(error, .faultQueue, "make a queue for stalled transactions") }
    }

    deinit {
        descriptor = nil
        do throws(Errno) { try kernel.destroy(id) } catch {
            assert(error == .notFound || error == .busy, "fault queue \(id): \(error)")
        }
    }

    /// Its descriptor's number, to wait for; readable while there are records.
    package var raw: Int32 { descriptor?.raw ?? -1 }
    /// Whether records have been read from the kernel and not been given out.
    package var hasRemainder: Bool { position < filled }

    /// One transaction that waits.
    package struct Fault: Hashable, Sendable {
        /// The device's number in the iommufd.
        package var device: UInt32
        package var cookie: UInt32
        package var substream: SubstreamID?
        package var address: UInt64
        package var read: Bool
        package var instruction: Bool
        package var privileged: Bool
    }

    /// The oldest that nobody has been told of; nil: there is none at the moment.
    package func next() throws(IOMMUError) -> Fault? {
        if position == filled { try refill() }
        if let fault = nextRead() { return fault }
        if position == filled { return nil }
        // The kernel gives whole records only.
        position = filled
        throw IOMMUError(.protocolError, .readEvents, "read stalled transactions")
    }

    /// The oldest that has been read from the kernel and not been given out; nil: the kernel would have to be asked.
    package func nextRead() -> Fault? {
        guard filled - position >= Self.recordBytes else { return nil }
        defer { position += Self.recordBytes }
        return record(at: position)
    }

    private func refill() throws(IOMMUError) {
        (position, filled) = (0, 0)
        guard descriptor != nil else { return }
        do throws(Errno) {
            filled = min(max(try kernel.readFaults(raw: self.raw, into: &bytes), 0), bytes.count)
        } catch { throw IOMMUError(error, .readEvents, "read stalled transactions") }
    }

    private func record(at offset: Int) -> Fault {
        let (flags, perm) = (number(offset, 4), number(offset + 16, 4))
        let substream = SubstreamID(UInt32(number(offset + 8, 4)) & 0xf_ffff)
        return Fault(
            device: UInt32(number(offset + 4, 4)), cookie: UInt32(number(offset + 36, 4)),
            substream: flags & UInt64(CIOMMUFD_PGFAULT_PASID_VALID) != 0 ? substream : nil,
            address: number(offset + 24, 8), read: perm & UInt64(CIOMMUFD_PGFAULT_PERM_WRITE) == 0,
            instruction: perm & UInt64(CIOMMUFD_PGFAULT_PERM_EXEC) != 0,
            privileged: perm & UInt64(CIOMMUFD_PGFAULT_PERM_PRIV) != 0)
    }

    /// The machine's byte order, which is little-endian on all that this runs on.
    private func number(_ offset: Int, _ count: Int) -> UInt64 {
        (0..<count).reduce(0) { $0 | UInt64(bytes[offset + $1]) << UInt64(8 * $1) }
    }

    /// Has a transaction tried again, or aborted. False: nothing waits under this cookie any more.
    package func answer(_ cookie: UInt32, retry: Bool) throws(IOMMUError) -> Bool {
        do throws(Errno) {
            try kernel.answerFault(raw: self.raw, cookie: cookie, retry: retry)
            return true
        } catch  where error == .invalid {
            return false
        } catch { throw IOMMUError(error, .answerFault, "answer a stalled transaction") }
    }
}
