import JSON
import Wire

// A device that no session has and nobody gets, as text and as JSON.

extension AdminHeldDevice {
    var sentence: String {
        let device = device?.description ?? "a device"
        let last = "session \(session) (VM \(vm?.description ?? "-"))"
        return switch reason {
        case .orphaned?:
            "\(device) is orphaned: \(last) has let it go, and somebody still has its descriptor. "
                + "\"fuser -v /dev/vfio/devices/*\" says who; it is free when the last copy is closed."
        case .withheld?:
            "\(device) has been given back to the host: \(last) had it last. It can be had when it is bound to vfio-pci anew, "
                + "or after \"smmuctl release --again \(device)\"."
        case nil: "\(device) cannot be had at the moment; \(last) had it last."
        }
    }

    var json: JSONValue {
        .object(
            JSONObject([
                ("device", .name(device)), ("reason", .string(reason?.name ?? "unknown")),
                ("session", JSONValue(session)), ("vm", .name(vm)),
            ]))
    }
}
