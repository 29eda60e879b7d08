import JSON

/// The directory of a capture: finds and reads its files, and makes errors that name them.
struct CaptureDirectory {
    static let oracle = "oracle.jsonl"
    static let steps = "steps.jsonl"

    let path: String

    func path(of file: String) -> String { "\(path)/\(file)" }

    func error(
        _ file: String, _ problem: String, _ fault: CaptureError.Fault = .capture, line: Int? = nil
    ) -> CaptureError {
        CaptureError(path: path(of: file), line: line, problem: problem, fault: fault)
    }

    /// A capture has either rows or a script.
    func kind() throws(CaptureError) -> Capture.Kind {
        if try CaptureFile(path: path(of: CaptureDirectory.steps)) != nil { return .steps }
        if try CaptureFile(path: path(of: CaptureDirectory.oracle)) != nil { return .oracle }
        throw error(CaptureDirectory.oracle, "Neither this file nor \(CaptureDirectory.steps) is there.")
    }

    /// The content of a file; nil if there is none.
    func contents(_ file: String) throws(CaptureError) -> [UInt8]? {
        guard let file = try CaptureFile(path: path(of: file)) else { return nil }
        return try file.contents()
    }

    func requiredContents(_ file: String) throws(CaptureError) -> [UInt8] {
        guard let bytes = try contents(file) else { throw error(file, "There is no such file.") }
        return bytes
    }

    /// The content of a file of records of `size` bytes; none if there is no such file and there need not be one.
    func units(_ file: String, of size: Int, isRequired: Bool = false) throws(CaptureError) -> [UInt8] {
        let bytes = isRequired ? try requiredContents(file) : try contents(file) ?? []
        guard bytes.count.isMultiple(of: size) else {
            throw error(file, "Its \(bytes.count) bytes are not a whole number of records of \(size) bytes.")
        }
        return bytes
    }

    /// Makes one value of each line, a JSON object each. A newline ends the last line or may be missing.
    func lines<Row>(
        _ file: String, isRequired: Bool = true, _ make: (Fields, Int) throws(FieldError) -> Row
    ) throws(CaptureError) -> [Row] {
        let bytes = isRequired ? try requiredContents(file) : try contents(file) ?? []
        var rows: [Row] = []
        var start = bytes.startIndex
        while start < bytes.endIndex {
            let end = bytes[start...].firstIndex(of: UInt8(ascii: "\n")) ?? bytes.endIndex
            rows.append(try row(file, bytes[start..<end], line: rows.count + 1, make))
            start = end + 1
        }
        return rows
    }

    private func row<Row>(
        _ file: String, _ text: ArraySlice<UInt8>, line: Int, _ make: (Fields, Int) throws(FieldError) -> Row
    ) throws(CaptureError) -> Row {
        let value: JSONValue
        do throws(JSONError) {
            value = try JSONValue(parsing: text)
        } catch {
            throw self.error(file, "Column \(error.column) is not JSON: \(error.reason.sentence)", line: line)
        }
        do throws(FieldError) {
            return try make(try Fields(value), line)
        } catch {
            throw self.error(file, error.problem, line: line)
        }
    }
}
