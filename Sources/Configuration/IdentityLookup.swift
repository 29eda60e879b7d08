/// Who users and groups are: numbers by their names, nil for names that nobody has.
package struct IdentityLookup: Sendable {
    package var user: @Sendable (String) -> UInt32?
    package var group: @Sendable (String) -> UInt32?

    package init(
        user: @escaping @Sendable (String) -> UInt32?, group: @escaping @Sendable (String) -> UInt32?
    ) {
        (self.user, self.group) = (user, group)
    }

    /// The identity that no process has: setresuid(2) takes it as "leave as it is". A grant for a name that is unknown
    /// is one for this, so that leaving the name out never makes a grant wider than it was meant.
    package static let nobody = UInt32.max
}
