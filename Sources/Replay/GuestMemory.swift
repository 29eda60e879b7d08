import Captures
import LinuxSystem

/// A guest's RAM: a sealed sparse memfd with the pages of a capture, and behind them one page more for the command queue,
/// which the broker never sees.
final class GuestMemory {
    let layout: GuestLayout
    /// The IPA of the command queue, one page. Not mapped into the broker: only a VMM reads a guest's command queue.
    let queue: UInt64
    let file: OwnedFD

    private let mapping: Mapping
    /// Numbers of the pages that are there. A VMM that reads others is told that there is no such memory, though the
    /// file may have a hole for them.
    private let present: Set<UInt64>

    /// The pages of a capture below `limit`, and the `added` ones, which are zero.
    init(
        _ pages: CapturePages, adding added: Set<UInt64>, below limit: UInt64, maximumRanges: Int
    ) throws(ReplayError) {
        let all = Set(pages.addresses).union(added).filter { $0 < limit }
        layout = GuestLayout(pages: all.sorted(), maximumRanges: maximumRanges)
        present = Set(all.map { $0 >> 12 })
        // An address that no broken pointer is likely to have, such as all ones.
        var candidate: UInt64 = 0x000d_5a3c_96e1_0000
        while pages.contains(candidate) || added.contains(candidate) { candidate &-= 0x1_0000 }
        queue = candidate
        let size = layout.size + GuestLayout.pageSize
        do throws(Errno) {
            file = try OwnedFD.memory(named: "guest-ram", size: size)
            try file.seal([.shrink, .grow])
            mapping = try Mapping(file, count: Int(size), writable: true)
        } catch {
            throw ReplayError(
                reason: "There is no memory for the \(size) bytes that the guest had: \(error).",
                advice: "Free memory, or allow this process more of it.")
        }
        for address in pages.addresses where address < limit { copy(pages, address) }
    }

    /// Copies what is not zero, so that the file stays sparse.
    private func copy(_ pages: CapturePages, _ address: UInt64) {
        for place in stride(from: address, to: address + GuestLayout.pageSize, by: 8) {
            guard let word = pages.word(at: place), word != 0 else { continue }
            store(word, at: place)
        }
    }

    /// The word at an aligned IPA; nil where the guest has no memory.
    func word(at ipa: UInt64) -> UInt64? { offset(of: ipa).flatMap { mapping.loadWord(at: $0) } }

    @discardableResult
    func store(_ word: UInt64, at ipa: UInt64) -> Bool {
        offset(of: ipa).map { mapping.storeWord(word, at: $0) } ?? false
    }

    /// Stores bytes in memory order at any address; false, and nothing is stored, if a page among them is absent.
    func store(bytes: [UInt8], at ipa: UInt64) -> Bool {
        guard !bytes.isEmpty else { return true }
        let (last, overflow) = ipa.addingReportingOverflow(UInt64(bytes.count) - 1)
        guard !overflow, (ipa >> 12...last >> 12).allSatisfy(present.contains) else { return false }
        for (place, byte) in bytes.enumerated() {
            let address = ipa + UInt64(place)
            let shift = (address & 7) * 8
            guard let word = word(at: address & ~7) else { return false }
            store(word & ~(0xff << shift) | UInt64(byte) << shift, at: address & ~7)
        }
        return true
    }

    private func offset(of ipa: UInt64) -> UInt64? {
        if ipa >= queue, ipa - queue < GuestLayout.pageSize { return layout.size + (ipa - queue) }
        return present.contains(ipa >> 12) ? layout.offset(of: ipa) : nil
    }
}
