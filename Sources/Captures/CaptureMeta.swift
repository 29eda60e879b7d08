import JSON

/// What `meta.json` says, as far as a replay needs it.
///
/// Only the registers that a translation depends on have to be there and make sense. The rest is bookkeeping of whoever
/// recorded: what of it cannot be understood is left out, because no answer depends on it.
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
        title = fields["title"]?.string ?? ""
        origin = fields["origin"]?.string ?? ""
        registers = try CaptureRegisters(try CaptureMeta.registers(fields["registers"]))
        marks = (fields["marks"]?.array ?? []).compactMap(CaptureMark.init)
        streams = CaptureMeta.streams(fields["streams"])
        declaredRows = fields["oracle"]?["rows"]?.integer.flatMap(Int.init(exactly:))
    }

    private static func registers(_ value: JSONValue?) throws(FieldError) -> [String: UInt64] {
        guard let object = value?.object else { throw FieldError("The object \"registers\" is missing.") }
        let fields = try Fields(.object(object))
        var registers: [String: UInt64] = [:]
        for name in object.keys where fields[name] != nil {
            if CaptureRegisters.used.contains(name) {
                registers[name] = try fields.uint64(name)
            } else {
                registers[name] = fields[name]?.uint64
            }
        }
        return registers
    }

    /// Reads either form: a map by StreamID, as recorded captures have it, or a list, as generated ones do.
    private static func streams(_ value: JSONValue?) -> [CaptureStream] {
        var streams: [CaptureStream] = []
        switch value {
        case .object(let map):
            for (key, item) in map.members {
                if let sid = UInt32(key) { streams.append(CaptureStream(item, sid: sid)) }
            }
        case .array(let list):
            for item in list {
                if let sid = item["sid"]?.uint32 { streams.append(CaptureStream(item, sid: sid)) }
            }
        default: break
        }
        return streams.sorted { $0.sid < $1.sid }
    }
}

extension CaptureMark {
    fileprivate init?(_ value: JSONValue) {
        guard let name = value["name"]?.string, let commands = value["commands"]?.uint32,
            let events = value["events"]?.uint32
        else { return nil }
        self.init(name: name, commands: Int(commands), events: Int(events))
    }
}

extension CaptureStream {
    fileprivate init(_ value: JSONValue, sid: UInt32) {
        self.init(
            sid: sid, asid: value["asid"]?.uint32, vmid: value["vmid"]?.uint32, granuleBits: value["g"]?.uint32,
            stage: value["kind"]?.uint32)
    }
}
