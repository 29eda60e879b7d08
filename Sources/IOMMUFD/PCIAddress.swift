/// Where a PCI function is: domain, bus, device and function, `0000:01:00.0`.
package struct PCIAddress: Hashable, Sendable, CustomStringConvertible {
    package let domain: UInt32
    package let bus: UInt8
    package let device: UInt8
    package let function: UInt8

    /// nil unless `text` is written as in sysfs: lower-case hexadecimal digits, four (or more) of the domain, two of the
    /// bus and of the device, one of the function.
    package init?(_ text: String) {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 3, (4...8).contains(parts[0].utf8.count) else { return nil }
        let last = parts[2].split(separator: ".", omittingEmptySubsequences: false)
        guard last.count == 2, let domain = Self.number(parts[0]), let bus = Self.number(parts[1], digits: 2),
            let device = Self.number(last[0], digits: 2), device < 32, let function = Self.number(last[1], digits: 1),
            function < 8
        else { return nil }
        self.domain = domain
        (self.bus, self.device, self.function) = (UInt8(bus), UInt8(device), UInt8(function))
    }

    private static func number(_ text: Substring, digits: Int? = nil) -> UInt32? {
        if let digits, text.utf8.count != digits { return nil }
        let allowed = text.utf8.allSatisfy { (0x30...0x39).contains($0) || (0x61...0x66).contains($0) }
        return allowed ? UInt32(text, radix: 16) : nil
    }

    /// What the device calls itself on its bus, which is its StreamID where the firmware maps the numbers one to one.
    package var requesterID: UInt32 { UInt32(bus) << 8 | UInt32(device) << 3 | UInt32(function) }

    package var description: String {
        func hex(_ value: UInt32, _ digits: Int) -> String {
            let text = String(value, radix: 16)
            return String(repeating: "0", count: max(0, digits - text.count)) + text
        }
        return "\(hex(domain, 4)):\(hex(UInt32(bus), 2)):\(hex(UInt32(device), 2)).\(function)"
    }
}
