import SMMUModel
import SMMUv3

/// Physical memory of one software SMMU: guest memory, doorbells, and above them what belongs to the SMMU alone.
struct ModelMemory: PhysicalMemory {
    let guest: GuestMemory
    var own: PrivateMemory
    let layout: ModelLayout
    /// Pages where the guest's interrupt controller would answer: writes are taken and go nowhere, reads give 0.
    var doorbells: [UInt64] = []

    init(guest: GuestMemory, layout: ModelLayout) {
        self.guest = guest
        self.layout = layout
        own = PrivateMemory(base: layout.base, size: layout.end - layout.base, reserved: ModelLayout.reserved)
    }

    func loadWord(at address: UInt64) -> UInt64? {
        if address >= layout.base { return own.loadWord(at: address) }
        if let word = guest.loadWord(at: address) { return word }
        return isDoorbell(address) ? 0 : nil
    }

    mutating func storeWord(_ value: UInt64, at address: UInt64) -> Bool {
        if address >= layout.base { return own.storeWord(value, at: address) }
        return guest.storeWord(value, at: address) || isDoorbell(address)
    }

    /// Whether a doorbell answers at `address`.
    func isDoorbell(_ address: UInt64) -> Bool {
        doorbells.contains(address & ~(PrivateMemory.pageSize - 1))
    }

    // MARK: Data of devices

    /// A device's read, within one page; false is an external abort.
    func read(at address: UInt64, into data: inout MutableRawSpan, from start: Int, count: Int) -> Bool {
        if address >= layout.base { return false }
        if guest.read(at: address, into: &data, from: start, count: count) { return true }
        guard isDoorbell(address) else { return false }
        data.zero(start..<start + count)
        return true
    }

    /// A device's write, within one page; false is an external abort.
    func write(_ data: RawSpan, from start: Int, count: Int, at address: UInt64) -> Bool {
        if address >= layout.base { return false }
        return guest.write(data, from: start, count: count, at: address) || isDoorbell(address)
    }
}

/// Where in its physical address space a software SMMU keeps what it needs: in the highest part, a sixteenth of it and
/// at most 16 GiB.
struct ModelLayout: Hashable {
    /// Bits of a physical address, and of an IPA. Tables of 4 KiB granules end at 48.
    let addressBits: Int
    /// The region's first address, which is where the root of stage 2 is.
    let base: UInt64

    static let streamIDBits = 16
    /// Records in the event queue, as log2.
    static let eventQueueLog2 = 9

    init(outputAddressSize: Int) {
        addressBits = min(outputAddressSize, 48)
        base = (1 << UInt64(addressBits)) - min(1 << 34, 1 << UInt64(addressBits - 4))
    }

    var end: UInt64 { 1 << UInt64(addressBits) }
    var stage2Root: UInt64 { base }
    /// 64 bytes for each StreamID: 4 MiB, and aligned to that.
    var streamTable: UInt64 { base + (4 << 20) }
    var eventQueue: UInt64 { base + (8 << 20) }
    /// Bytes before the pages that stage 2 takes as it grows.
    static let reserved: UInt64 = 9 << 20

    /// Whether guest memory in `bounds` would be in the way.
    func collides(with bounds: Range<UInt64>) -> Bool { bounds.lowerBound < end && bounds.upperBound > base }
    /// Whether this SMMU has addresses for `bounds`, which do not collide.
    func reaches(_ bounds: Range<UInt64>) -> Bool { bounds.upperBound <= base }
}

extension MutableRawSpan {
    mutating func zero(_ bytes: Range<Int>) {
        for index in bytes { storeBytes(of: 0, toByteOffset: index, as: UInt8.self) }
    }
}
