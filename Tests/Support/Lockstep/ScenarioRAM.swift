import SMMUModel
import Scenarios

/// The memory of a scenario as a software SMMU sees it. Nothing is ever stored: where events would go, nothing answers.
struct ScenarioRAM: PhysicalMemory {
    var memory: ScenarioMemory

    func loadWord(at address: UInt64) -> UInt64? { memory.read(address) }

    mutating func storeWord(_ value: UInt64, at address: UInt64) -> Bool { false }
}
