/// One stream of a scenario, as it was built; mutations may have changed it since.
package struct ScenarioStream: Sendable {
    package enum Kind: String, Sendable, CaseIterable {
        case invalid
        case abort
        case bypass
        case stage1
        case stage2
        case nested
    }

    package let sid: UInt32
    package let kind: Kind
    /// SubstreamIDs that have a context descriptor; nil is the one for transactions without.
    package let ssids: [UInt32?]
}
