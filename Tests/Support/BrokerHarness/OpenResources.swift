import Foundation

/// What this process has of a memfd, which the test gave a name that nobody else uses: other tests of the process open
/// and map things at the same time, so that totals say nothing.
package struct OpenResources: Hashable, Sendable {
    package var descriptors: Int
    package var mappings: Int

    package init(descriptors: Int, mappings: Int) { (self.descriptors, self.mappings) = (descriptors, mappings) }

    package init(ofMemory name: String) {
        let path = "/memfd:\(name) "
        let numbers = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd")) ?? []
        descriptors = numbers.count { number in
            let target = try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/fd/\(number)")
            return target?.hasPrefix(path) ?? false
        }
        mappings = Self.maps.split(separator: "\n").count { $0.contains(path) }
    }

    /// All of it: what reads a file as one string stops where the kernel pauses.
    private static var maps: String {
        let data = try? FileHandle(forReadingAtPath: "/proc/self/maps")?.readToEnd()
        return data.flatMap { String(bytes: $0, encoding: .utf8) } ?? ""
    }
}
