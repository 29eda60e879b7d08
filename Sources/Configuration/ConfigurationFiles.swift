/// The files that a configuration is made of, and the way to read them.
package struct ConfigurationFiles: Sendable {
    /// Directories of the system, each overriding those before it.
    package static let directories = ["/usr/lib/smmu-broker", "/etc/smmu-broker", "/run/smmu-broker"]
    package static let name = "smmu-broker.conf"

    /// In the order in which they are read.
    package var mains: [String]
    /// Directories of drop-ins. A name in a later one hides the same name in those before it.
    package var dropIns: [String]
    /// Whether the main files must be there.
    package var isExplicit: Bool

    /// What the daemon reads unless it is told otherwise. All directories stand below `root`.
    package static func system(root: String = "") -> ConfigurationFiles {
        let mains = directories.map { "\(root)\($0)/\(name)" }
        // What an administrator wrote in /etc hides what something running left in /run.
        let dropIns = ["/usr/lib/smmu-broker", "/run/smmu-broker", "/etc/smmu-broker"]
        return ConfigurationFiles(mains: mains, dropIns: dropIns.map { "\(root)\($0)/\(name).d" }, isExplicit: false)
    }

    /// This file and those of the directory `FILE.d`.
    package static func explicit(_ file: String) -> ConfigurationFiles {
        ConfigurationFiles(mains: [file], dropIns: ["\(file).d"], isExplicit: true)
    }
}
