import SMMUv3
import Wire

/// A command that shows more, and what.
struct NextStep: Equatable {
    let command: String
    let shows: String

    /// What to look at because of an event, the nearest first. Names that are not known stand in capitals.
    static func after(_ subject: EventSubject, _ explanation: EventExplanation) -> [NextStep] {
        let record = subject.record
        let vm = subject.told?.event.vm?.description ?? "VM"
        let device = subject.told?.event.device?.description ?? "DEVICE"
        if record.id == nil {
            let words = record.words.array.map(\.hexWord).joined(separator: " ")
            return [NextStep(command: "smmuctl decode event \(words)", shows: "the bits as they are")]
        }
        var steps = [
            NextStep(
                command: "smmuctl show \(vm)", shows: "the state of its devices, the installed STEs, the counters"),
            NextStep(command: "smmuctl events --vm \(vm)", shows: "what else happened before and after"),
            NextStep(
                command: "journalctl -x -u smmu-brokerd SMMU_EVENT=\(record.name) SMMU_VM=\(vm)",
                shows: "all of this kind, with explanations"),
        ]
        for side in explanation.sides { steps += Self.for(side, device: device) }
        if record.id?.fields.contains(where: { $0.name == "InputAddr" }) == true {
            steps.append(NextStep(command: translation(of: record), shows: "the walk, in a capture of this guest"))
        }
        return steps
    }

    private static func `for`(_ side: EventExplanation.Side, device: String) -> [NextStep] {
        switch side {
        case .guest:
            [NextStep(command: "dmesg | grep -i -e smmu -e iommu", shows: "in the guest: which driver it was")]
        case .memory:
            [NextStep(command: "journalctl -u smmu-brokerd -p warning", shows: "memory that the VMM could not map")]
        case .device: [NextStep(command: "smmuctl quarantine \(device)", shows: "nothing, but it ends the faults")]
        case .host:
            [NextStep(command: "journalctl -k -g 'smmu|hardware error'", shows: "what the host's kernel saw")]
        case .vmm: []
        }
    }

    private static func translation(of record: EventRecord) -> String {
        let ssid = record.substreamID.map { " --ssid \($0.rawValue)" } ?? ""
        let access = record.read ? (record.instruction ? " --execute" : "") : " --write"
        return "smmuctl translate --capture DIR --sid \(record.streamID.rawValue)\(ssid) --iova "
            + "\(record.inputAddress.hex)\(access)\(record.privileged ? " --privileged" : "")"
    }
}
