/// A transaction to ask about.
package struct ScenarioQuestion: Equatable, Sendable {
    package var sid: UInt32
    package var ssid: UInt32?
    package var iova: UInt64
    package var write: Bool
    package var privileged: Bool
    package var instruction: Bool
}

/// Input addresses that a scenario has mapped: all that agree with `address` above its low `bits` bits.
struct ScenarioTarget {
    let sid: UInt32
    let ssid: UInt32?
    let address: UInt64
    let bits: Int
}
