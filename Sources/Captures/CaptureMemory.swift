import SMMUModel

/// The physical memory of a replayed capture: its pages, and two pages more for the queues, which no capture holds.
package struct CaptureMemory: PhysicalMemory {
    package var pages: CapturePages
    /// Where the command queue is, and one page on the event queue: pages that the capture does not use.
    let queues: UInt64
    private var queueWords = [UInt64](repeating: 0, count: 1024)

    package init(pages: CapturePages) {
        self.pages = pages
        // No address that a broken pointer is likely to have, such as all ones: reads there must abort.
        var candidate: UInt64 = 0x000d_5a3c_96e1_0000
        while pages.contains(candidate) || pages.contains(candidate &+ 0x1000) { candidate &-= 0x1_0000 }
        queues = candidate
    }

    package func loadWord(at address: UInt64) -> UInt64? {
        if let index = queueIndex(address) { return queueWords[index] }
        return pages.word(at: address)
    }

    package mutating func storeWord(_ value: UInt64, at address: UInt64) -> Bool {
        if let index = queueIndex(address) {
            queueWords[index] = value
            return true
        }
        return pages.store(word: value, at: address)
    }

    private func queueIndex(_ address: UInt64) -> Int? {
        let offset = address &- queues
        return offset < 0x2000 && address & 7 == 0 ? Int(offset >> 3) : nil
    }
}
