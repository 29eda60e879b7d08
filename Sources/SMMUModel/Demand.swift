/// What a transaction asks of a mapping.
struct Demand {
    /// The one permission that an access needs. Of a translation request: reading, and writing if it asks for that; one
    /// of them will do.
    private let needed: Permissions
    /// What a translation request is given at most: what it asked for, at its privilege level (IHI 0070, 3.9.1.2).
    private let grantable: Permissions
    private let isRequest: Bool

    @inline(__always)
    init(_ transaction: Transaction, _ access: AccessAttributes) {
        isRequest = transaction.kind == .translationRequest
        guard isRequest else {
            needed = .needed(
                write: transaction.write, privileged: access.privileged, instruction: access.instruction)
            grantable = .all
            return
        }
        var data = Permissions.needed(write: false, privileged: access.privileged, instruction: false)
        if transaction.write {
            data.insert(.needed(write: true, privileged: access.privileged, instruction: false))
        }
        let execute = Permissions.needed(write: false, privileged: access.privileged, instruction: true)
        needed = data
        grantable = access.instruction ? data.union(execute) : data
    }

    @inline(__always)
    func isMet(by permissions: Permissions) -> Bool {
        isRequest ? !permissions.isDisjoint(with: needed) : permissions.contains(needed)
    }

    @inline(__always)
    func granted(of permissions: Permissions) -> Permissions { permissions.intersection(grantable) }
}
