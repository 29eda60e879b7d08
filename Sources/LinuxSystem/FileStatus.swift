import CLinux

/// What stands at a path, without opening it.
package struct FileStatus: Hashable, Sendable {
    package enum Kind: Hashable, Sendable { case file, directory, characterDevice, socket, other }

    package var kind: Kind
    /// The nine bits `rwxrwxrwx`.
    package var permissions: UInt32
    package var uid: UInt32
    package var gid: UInt32
    /// In sysfs another one each time that what it stands for is made anew.
    package var inode: UInt64

    /// Symbolic links are followed. Errors: those of stat(2).
    package init(of path: String) throws(Errno) {
        var found = clinux_path()
        // SAFETY: the call reads a string that ends in 0, fills the structure and keeps neither pointer.
        try Errno.check(unsafe path.withCString { unsafe clinux_path_inspect($0, &found) })
        kind =
            switch found.mode & 0o170000 {
            case 0o100000: .file
            case 0o040000: .directory
            case 0o020000: .characterDevice
            case 0o140000: .socket
            default: .other
            }
        (permissions, uid, gid) = (found.mode & 0o777, found.uid, found.gid)
        inode = found.inode
    }
}

/// Symbolic links.
package enum SymbolicLink {
    /// Where the link at `path` leads, as it is written there. Errors: those of readlink(2); EINVAL for what is no link.
    package static func target(_ path: String) throws(Errno) -> String {
        var result: Int64 = 0
        let bytes = unsafe [CChar](unsafeUninitializedCapacity: 4096) { buffer, count in
            // SAFETY: the call writes at most as many bytes as the buffer has and returns how many it wrote; it reads a
            // string that ends in 0.
            result = unsafe path.withCString { unsafe clinux_link_read($0, buffer.baseAddress, 4096) }
            count = Int(max(0, result))
        }
        try Errno.check(result)
        return String(decoding: bytes.map(UInt8.init(bitPattern:)), as: UTF8.self)
    }
}
