import JSON

/// What `meta.json` says, as far as a replay needs it.
struct CaptureMeta {
    let title: String
    let origin: String
    let registers: CaptureRegisters
    let marks: [CaptureMark]
    let streams: [CaptureStream]
    let declaredRows: Int?

    private static let file = "meta.json"

    init(in directory: CaptureDirectory) throws(CaptureError) {
        let bytes = try directory.requiredContents(CaptureMeta.file)
        let value: JSONValue
        do throws(JSONError) {
            value = try JSONValue(parsing: bytes)
        } catch {
            let problem = "Column \(error.column) is not JSON: \(error.reason.sentence)"
            throw directory.error(CaptureMeta.file, problem, line: error.line)
        }
        do throws(FieldError) {
            try self.init(try Fields(value))
        } catch {
            throw directory.error(CaptureMeta.file, error.problem)
        }
    }

    private init(_ fields: Fields) throws(FieldError) {
        title = try fields.string("title")
        origin = try fields.string("origin")
        registers = try CaptureRegisters(try CaptureMeta.registers(fields["registers"]))
        marks = try CaptureMeta.marks(fields["marks"])
        streams = try CaptureMeta.streams(fields["streams"])
        declaredRows = try fields.fields("oracle")?["rows"]?.integer.flatMap(Int.init(exactly:))
    }

    private static func registers(_ value: JSONValue?) throws(FieldError) -> [String: UInt64] {
        guard let object = value?.object else { throw FieldError("The object \"registers\" is missing.") }
        let fields = try Fields(.object(object))
        var registers: [String: UInt64] = [:]
        for name in object.keys { registers[name] = try fields.uint64(name) }
        return registers
    }

    private static func marks(_ value: JSONValue?) throws(FieldError) -> [CaptureMark] {
        guard let value else { return [] }
        guard let list = value.array else { throw FieldError("\"marks\" must be a list.") }
        return try list.map { item throws(FieldError) in
            let fields = try Fields(item)
            return CaptureMark(
                name: try fields.string("name"),
                commands: Int(try fields.uint32("commands")),
                events: Int(try fields.uint32("events")))
        }
    }

    /// Reads either form: a map by StreamID, as recorded captures have it, or a list, as generated ones do.
    private static func streams(_ value: JSONValue?) throws(FieldError) -> [CaptureStream] {
        var streams: [CaptureStream] = []
        switch value {
        case nil, .null: break
        case .object(let map):
            for (key, item) in map.members {
                guard let sid = UInt32(key) else { throw FieldError("\"streams\" has \"\(key)\" for a StreamID.") }
                streams.append(try CaptureStream(try Fields(item), sid: sid))
            }
        case .array(let list):
            for item in list {
                let fields = try Fields(item)
                streams.append(try CaptureStream(fields, sid: try fields.uint32("sid")))
            }
        default: throw FieldError("\"streams\" must be a map or a list.")
        }
        return streams.sorted { $0.sid < $1.sid }
    }
}

extension CaptureStream {
    fileprivate init(_ fields: Fields, sid: UInt32) throws(FieldError) {
        func optional(_ key: String) throws(FieldError) -> UInt32? {
            fields[key] == nil ? nil : try fields.uint32(key)
        }
        self.sid = sid
        asid = try optional("asid")
        vmid = try optional("vmid")
        granuleBits = try optional("g")
        stage = try optional("kind")
    }
}
