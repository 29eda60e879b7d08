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

    /// Puts a file of these bytes, readable by all, in the place of the one at `path`: whoever opens it sees the old one
    /// or all of the new one. Errors: those of open(2), write(2) and rename(2); the old file is untouched then.
    package static func replace(_ path: String, with bytes: [UInt8]) throws(Errno) {
        let result = unsafe bytes.withUnsafeBytes { buffer in
            // SAFETY: the call reads `buffer.count` bytes and a string that ends in 0, and keeps neither pointer.
            unsafe path.withCString { unsafe clinux_file_replace($0, buffer.baseAddress, buffer.count) }
        }
        try Errno.check(result)
    }
}
