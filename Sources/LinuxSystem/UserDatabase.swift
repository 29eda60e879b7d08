import CLinux

/// The users and groups of this host, by name (nsswitch.conf(5)). May wait for a directory service.
package enum UserDatabase {
    /// The number of a user; nil when there is none of this name. Other errors: those of getpwnam_r(3).
    package static func user(named name: String) throws(Errno) -> UInt32? {
        try number { id in
            // SAFETY: the call reads a string that ends in 0 and writes one number.
            unsafe name.withCString { unsafe clinux_user_id($0, &id) }
        }
    }

    /// The number of a group; nil when there is none of this name. Other errors: those of getgrnam_r(3).
    package static func group(named name: String) throws(Errno) -> UInt32? {
        try number { id in
            // SAFETY: as above.
            unsafe name.withCString { unsafe clinux_group_id($0, &id) }
        }
    }

    private static func number(_ lookUp: (inout UInt32) -> Int32) throws(Errno) -> UInt32? {
        var id: UInt32 = 0
        let result = lookUp(&id)
        if result == -Errno.notFound.code { return nil }
        try Errno.check(result)
        return id
    }
}
