/// One untranslated transaction, as it arrives from a device.
package struct NaiveQuestion: Equatable, Sendable {
    package var sid: UInt32
    /// The SubstreamID, below 2^20, or nil when the transaction has none.
    package var ssid: UInt32?
    package var iova: UInt64
    package var write: Bool
    package var privileged: Bool
    /// An instruction fetch. Ignored for a write.
    package var instruction: Bool

    package init(
        sid: UInt32, ssid: UInt32? = nil, iova: UInt64, write: Bool, privileged: Bool = false, instruction: Bool = false
    ) {
        self.sid = sid
        self.ssid = ssid
        self.iova = iova
        self.write = write
        self.privileged = privileged
        self.instruction = instruction
    }
}
