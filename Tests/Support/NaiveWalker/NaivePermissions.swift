/// What one stage allows, for both privilege levels.
struct NaivePermissions {
    var unprivRead = true
    var unprivWrite = true
    var unprivExecute = true
    var privRead = true
    var privWrite = true
    var privExecute = true

    func allows(_ access: NaiveAccess) -> Bool {
        if access.write { return access.privileged ? privWrite : unprivWrite }
        if access.instruction { return access.privileged ? privExecute : unprivExecute }
        return access.privileged ? privRead : unprivRead
    }
}
