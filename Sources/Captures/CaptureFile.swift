import Glibc

/// A file open for reading, and the only owner of its descriptor.
///
/// All that is unsafe in this module is in this file: the system calls, and reading integers out of bytes.
struct CaptureFile: ~Copyable {
    let path: String
    private let descriptor: CInt

    /// Far more than a capture has. The limit turns a path that leads to something else into an error instead of into
    /// gigabytes of memory.
    static let maximumSize = 1 << 30

    /// Opens the file; nil if there is none. Errors: `.system`.
    init?(path: String) throws(CaptureError) {
        // O_NONBLOCK: the open of a FIFO would wait for a writer.
        // SAFETY: the string ends with NUL and outlives the call, which keeps no pointer.
        let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        // Nothing but the release of a temporary string stands between a call and its errno, and free keeps errno.
        let reason = errno
        if descriptor < 0 && reason == ENOENT { return nil }
        guard descriptor >= 0 else { throw CaptureFile.failure(path, "opened", reason) }
        self.path = path
        self.descriptor = descriptor
    }

    deinit { close(descriptor) }

    /// Reads the whole file. Errors: `.system`; `.capture` if it is no regular file or far too large.
    consuming func contents() throws(CaptureError) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: try size())
        var count = 0
        while count < bytes.count {
            let (result, reason) = read(into: &bytes, from: count)
            if result < 0 && reason == EINTR { continue }
            guard result >= 0 else { throw CaptureFile.failure(path, "read", reason) }
            // A file that shrank since its size was asked: what is left is checked like any other content.
            if result == 0 { break }
            count += result
        }
        bytes.removeLast(bytes.count - count)
        return bytes
    }

    private borrowing func size() throws(CaptureError) -> Int {
        var status = stat()
        // SAFETY: fstat fills the structure that the pointer leads to, and keeps no pointer.
        let result = unsafe fstat(descriptor, &status)
        let reason = errno
        guard result == 0 else { throw CaptureFile.failure(path, "examined", reason) }
        guard status.st_mode & S_IFMT == S_IFREG, (0...CaptureFile.maximumSize).contains(status.st_size) else {
            throw CaptureError(
                path: path, line: nil, problem: "This is not a regular file of at most 1 GiB.", fault: .capture)
        }
        return status.st_size
    }

    /// Reads once, to the array's end at most; what `read` returned, and the errno if that is negative.
    private borrowing func read(into bytes: inout [UInt8], from start: Int) -> (result: Int, reason: CInt) {
        let count = bytes.count - start
        let descriptor = descriptor
        // SAFETY: the caller has start < bytes.count, so the array has an address and count bytes from start on, and read
        // fills no more than those. The buffer does not leave the closure.
        return unsafe bytes.withUnsafeMutableBytes { buffer in
            let result = unsafe Glibc.read(descriptor, buffer.baseAddress.map { unsafe $0 + start }, count)
            return (result, errno)
        }
    }

    private static func failure(_ path: String, _ action: String, _ reason: CInt) -> CaptureError {
        // SAFETY: strerror returns a string that ends with NUL, valid until the next call in this thread; it is copied.
        let text = unsafe String(cString: strerror(reason))
        return CaptureError(path: path, line: nil, problem: "It cannot be \(action): \(text).", fault: .system)
    }
}

/// The little-endian 64-bit words of a file; bytes behind the last whole word are left out (callers check sizes first).
func littleEndianWords(_ bytes: [UInt8]) -> [UInt64] {
    let span = unsafe bytes.span.bytes
    return (0..<bytes.count / 8).map { place in
        // SAFETY: bytes of an integer are all initialised; the load checks its bounds, and every pattern is a UInt64.
        UInt64(littleEndian: unsafe span.unsafeLoadUnaligned(fromByteOffset: 8 * place, as: UInt64.self))
    }
}

/// The name of a directory that is there: what it is called, where the path says `.` or `..`.
func directoryName(_ path: String) -> String {
    let last = lastComponent(of: path)
    guard last == "." || last == ".." else { return last }
    // SAFETY: the first string ends with NUL and outlives the call; the second is the C library's, copied and freed here.
    guard let resolved = unsafe realpath(path, nil) else { return last }
    defer { unsafe free(resolved) }
    return lastComponent(of: unsafe String(cString: resolved))
}
