import SMMUModel

/// The memory that both sides of a comparison use: one buffer from address 0 on, nothing behind it.
@safe struct FlatMemory: PhysicalMemory {
    private let words: UnsafeMutablePointer<UInt64>
    private let bytes: UInt64

    init(_ words: UnsafeMutablePointer<UInt64>, bytes: UInt64) {
        unsafe self.words = unsafe words
        self.bytes = bytes
    }

    func loadWord(at address: UInt64) -> UInt64? {
        address < bytes ? unsafe words[Int(truncatingIfNeeded: address &>> 3)] : nil
    }

    mutating func storeWord(_ value: UInt64, at address: UInt64) -> Bool {
        guard address < bytes else { return false }
        unsafe words[Int(truncatingIfNeeded: address &>> 3)] = value
        return true
    }
}
