import CLinux

/// Small files that are read at once.
package enum TextFile {
    /// The bytes of the file at `path`. Errors: those of open(2) and read(2); ``Errno/fileTooLarge`` beyond `limit` bytes.
    package static func read(_ path: String, limit: Int) throws(Errno) -> [UInt8] {
        var result: Int64 = 0
        let bytes = unsafe [UInt8](unsafeUninitializedCapacity: limit) { buffer, count in
            // SAFETY: the call writes at most as many bytes as the buffer has and returns how many it wrote; it reads a
            // string that ends in 0.
            result = unsafe path.withCString { unsafe clinux_file_read($0, buffer.baseAddress, limit) }
            count = Int(max(0, result))
        }
        try Errno.check(result)
        return bytes
    }
}
