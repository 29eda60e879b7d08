import CLinux

/// What is in a directory.
package enum DirectoryListing {
    /// Bytes of the names of the largest directory that is listed.
    private static let limit = 1 << 18

    /// The names of the entries of the directory at `path`, sorted bytewise, without those that are not UTF-8. Errors:
    /// those of opendir(3); E2BIG for a directory with thousands of entries.
    package static func names(in path: String) throws(Errno) -> [String] {
        var result: Int64 = 0
        let names = unsafe [UInt8](unsafeUninitializedCapacity: limit) { buffer, count in
            // SAFETY: the call writes at most `limit` bytes, which the buffer has, and returns how many it wrote; bytes and
            // characters have the same layout. It reads a string that ends in 0.
            result = unsafe buffer.withMemoryRebound(to: CChar.self) { characters in
                unsafe path.withCString { unsafe clinux_directory_read($0, characters.baseAddress, limit) }
            }
            count = Int(max(0, result))
        }
        try Errno.check(result)
        let words = names.split(separator: 0).sorted { $0.lexicographicallyPrecedes($1) }
        return words.compactMap { String(validating: $0, as: UTF8.self) }
    }
}
