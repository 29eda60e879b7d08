import JSON

extension CaptureAnswer {
    /// Reads the members that say what the answer is; the others are not looked at.
    init(_ fields: Fields) throws(FieldError) {
        switch try fields.string("result") {
        case "ok":
            self = .ok(
                pa: try fields.uint64("pa"),
                permissions: fields["perm"] == nil ? nil : try CapturePermissions(letters: try fields.string("perm")),
                stage: fields["stage"] == nil ? nil : try fields.stage())
        case "bypass": self = .bypass(pa: try fields.uint64("pa"))
        case "abort": self = .abort
        case "fault":
            self = .fault(
                event: try fields.string("event"), record: fields["record"] == nil ? nil : try fields.record("record"))
        case let other: throw FieldError("\"result\" must be ok, bypass, abort or fault, not \"\(other)\".")
        }
    }
}

extension CapturePermissions {
    /// Reads `r`, `w` or `rw`; an answer that allows nothing would be a fault.
    fileprivate init(letters: String) throws(FieldError) {
        switch letters {
        case "r": self = .read
        case "w": self = .write
        case "rw": self = [.read, .write]
        default: throw FieldError("\"perm\" must be r, w or rw, not \"\(letters)\".")
        }
    }
}

extension CaptureRow {
    init(_ fields: Fields, line: Int) throws(FieldError) {
        sid = try fields.uint32("sid")
        ssid = try fields.substream()
        iova = try fields.uint64("iova")
        write = try fields.isWrite()
        answer = try CaptureAnswer(fields)
        if let alternative = try fields.fields("alt") {
            self.alternative = try CaptureAnswer(alternative)
        } else {
            alternative = nil
        }
        src = fields["src"]?.string ?? ""
        self.line = line
    }
}

extension CaptureStep {
    init(_ fields: Fields, line: Int) throws(FieldError) {
        switch try fields.string("op") {
        case "write": self = .write(pa: try fields.uint64("pa"), bytes: try fields.bytes("data"))
        case "translate": self = .translate(try CaptureRow(fields, line: line))
        case "cmd":
            let words = littleEndianWords(try fields.bytes("data"))
            guard words.count == 2, try fields.string("data").utf8.count == 32 else {
                throw FieldError("A command has 16 bytes.")
            }
            self = .command(d0: words[0], d1: words[1])
        case let other: throw FieldError("\"op\" must be write, cmd or translate, not \"\(other)\".")
        }
    }
}

extension DisputedRow {
    init(_ fields: Fields, line: Int) throws(FieldError) {
        sid = try fields.uint32("sid")
        ssid = try fields.substream()
        iova = try fields.uint64("iova")
        write = try fields.isWrite()
        known = fields["known"]?.string
        why = fields["why"]?.string
        guard let reference = try fields.fields("reference") else { throw FieldError("\"reference\" is missing.") }
        let record = fields["ref_record"] == nil ? [] : try fields.record("ref_record")
        self.reference = try Reference(reference, record: record)
        self.line = line
    }
}

extension DisputedRow.Reference {
    fileprivate init(_ fields: Fields, record: [UInt8]) throws(FieldError) {
        kind = try fields.string("kind")
        event = fields["event"]?.string
        recorded = fields.flag("recorded")
        s2 = fields.flag("s2")
        `class` = fields["class"]?.integer.flatMap(Int.init(exactly:))
        self.record = record
        pa = fields["pa"] == nil ? nil : try fields.uint64("pa")
        permissions = [fields.flag("r") ? .read : [], fields.flag("w") ? .write : []]
        stage = fields["stage"] == nil ? nil : try fields.stage()
    }
}

extension Fields {
    fileprivate func stage() throws(FieldError) -> Int {
        guard let stage = self["stage"]?.uint64, (1...3).contains(stage) else {
            throw FieldError("\"stage\" must be 1, 2 or 3.")
        }
        return Int(stage)
    }

    /// A flag as true or false, or as a number; a missing one is not set.
    fileprivate func flag(_ key: String) -> Bool {
        self[key].map { $0.bool ?? ($0.integer != 0) } ?? false
    }
}
