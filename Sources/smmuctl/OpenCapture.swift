import Captures

/// Reads a capture, and says what to do if it is not one.
func openCapture(_ path: String, to action: String) throws(Failure) -> Capture {
    func failure(_ reason: String, _ advice: String) -> Failure {
        Failure(action: "\(action) \(path)", reason: reason, advice: advice)
    }
    switch System.kind(ofFile: path) {
    case .nothing:
        throw failure(
            "there is no such directory.", "Give the directory of a capture; unpack an archive with tar -xf first.")
    case .other:
        throw failure(
            "this is a file, and a capture is a directory.",
            "If it is an archive, unpack it with \"tar -xf \(path)\" and give the directory that this makes.")
    case .directory: break
    }
    guard System.kind(ofFile: "\(path)/meta.json") != .nothing else {
        throw failure(
            "the directory has no meta.json.", "Give the directory of one capture itself, not the one around it.")
    }
    do throws(CaptureError) {
        return try Capture(directory: path)
    } catch {
        throw Failure(error, to: "\(action) \(path)")
    }
}

extension Failure {
    init(_ error: CaptureError, to action: String) {
        let place = error.line.map { "\(error.file), line \($0)" } ?? error.file
        self.init(action: action, reason: "\(place): \(error.problem)", advice: error.advice)
    }
}
