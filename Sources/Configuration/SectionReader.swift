import UnitConfig

/// Reads the values of one section: each of them, or its default and the reason.
struct SectionReader {
    let kind: SectionKind
    let section: UnitSection
    private(set) var diagnostics: [Diagnostic] = []
    private(set) var settings: [Setting] = []

    init(_ kind: SectionKind, _ section: UnitSection) { (self.kind, self.section) = (kind, section) }

    /// The value of a key.
    mutating func value<Value>(
        _ key: ConfigurationKey, default standard: Value, text: (Value) -> String,
        _ parse: (String) throws(ValueFault) -> Value
    ) -> Value {
        guard let assignment = section.last(of: key.name) else {
            note(key, text(standard), [])
            return standard
        }
        do throws(ValueFault) {
            let value = try parse(assignment.value)
            note(key, text(value), [assignment.location])
            return value
        } catch {
            let effect = text(standard).isEmpty ? "it has no effect" : "\(text(standard)) is in effect"
            fail(assignment, error, effect)
            note(key, text(standard), [])
            return standard
        }
    }

    /// The values of a list, without those that are wrong; nil when the list is empty or not given.
    ///
    /// - Parameter effect: what people are told about a wrong value.
    mutating func list<Value>(
        _ key: ConfigurationKey, default standard: String = "", effect: String = "it has no effect",
        _ parse: (String) throws(ValueFault) -> Value
    ) -> (values: [Value], hasFaults: Bool)? {
        var (values, words, origins): ([Value], [String], [SourceLocation]) = ([], [], [])
        var hasFaults = false
        for assignment in section.list(of: key.name) {
            do throws(ValueFault) {
                for word in try WordList.words(assignment.value) {
                    do throws(ValueFault) {
                        values.append(try parse(word))
                        words.append(word)
                    } catch {
                        hasFaults = true
                        fail(assignment, error, effect, word: word)
                    }
                }
                origins.append(assignment.location)
            } catch {
                hasFaults = true
                fail(assignment, error, effect)
            }
        }
        note(key, origins.isEmpty ? standard : WordList.text(words), origins)
        return values.isEmpty && !hasFaults ? nil : (values, hasFaults)
    }

    mutating func boolean(_ key: ConfigurationKey, default standard: Bool) -> Bool {
        value(key, default: standard, text: { $0 ? "yes" : "no" }, Value.boolean)
    }

    mutating func integer(_ key: ConfigurationKey, default standard: Int, in range: ClosedRange<Int>) -> Int {
        let limits = UInt64(clamping: range.lowerBound)...UInt64(clamping: range.upperBound)
        return value(key, default: standard, text: { String($0) }) { text throws(ValueFault) in
            Int(clamping: try Value.integer(text, in: limits))
        }
    }

    func location(of key: ConfigurationKey) -> SourceLocation {
        section.last(of: key.name)?.location ?? section.location
    }

    mutating func report(_ severity: Diagnostic.Severity, at key: ConfigurationKey? = nil, _ text: String) {
        let location = key.map(location(of:)) ?? section.location
        diagnostics.append(Diagnostic(severity, location, "[\(section.title.excerpt)] \(text)"))
    }

    /// What is in effect is not what was read or assumed at first.
    mutating func replace(_ key: ConfigurationKey, by value: String, isDefault: Bool = true) {
        for index in settings.indices where settings[index].key == key.name {
            settings[index].value = value
            if isDefault { settings[index].origins = [] }
        }
    }

    private mutating func fail(
        _ assignment: Assignment, _ fault: ValueFault, _ effect: String, word: String? = nil
    ) {
        let value = (word ?? assignment.value).excerpt
        diagnostics.append(
            Diagnostic(
                .error, assignment.location,
                "[\(section.title.excerpt)] `\(assignment.key)=\(value)` \(fault.reason); \(effect)")
        )
    }

    private mutating func note(_ key: ConfigurationKey, _ value: String, _ origins: [SourceLocation]) {
        settings.append(Setting(section: kind, name: section.name, key: key.name, value: value, origins: origins))
    }
}
