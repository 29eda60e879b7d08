package import UnitConfig

/// One key with the value that is in effect, and where it comes from.
package struct Setting: Hashable, Sendable {
    package var section: SectionKind
    /// `disk0` of `[Device disk0]`.
    package var name: String?
    package var key: String
    /// As a file would say it.
    package var value: String
    /// The assignments that it was read from; none: it is the default.
    package var origins: [SourceLocation]

    /// `Device disk0`.
    package var title: String { name.map { "\(section.rawValue) \($0)" } ?? section.rawValue }
}
