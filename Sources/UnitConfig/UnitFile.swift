/// A file in the syntax of systemd's units. To be filled in.
package struct UnitFile: Sendable {
    package init() {}
}
