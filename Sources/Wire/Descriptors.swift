extension Request {
    /// How many descriptors must come with the packet.
    package var descriptorCounts: ClosedRange<Int> {
        switch self {
        case .memoryMap: 1...1
        case .eventsSubscribe(let request):
            switch request.delivery {
            case .socket: 1...1
            case .queue: 3...4
            }
        default: 0...0
        }
    }

    /// Checks what came with the packet. `truncated`: the kernel could not hand over all of them.
    package func checkDescriptors(count: Int, truncated: Bool = false) throws(WireFault) {
        if truncated { throw .descriptorsTruncated }
        if !descriptorCounts.contains(count) { throw .wrongDescriptorCount(count, expected: descriptorCounts) }
    }
}

extension Reply {
    /// How many descriptors may come with the packet.
    package var descriptorCounts: ClosedRange<Int> {
        switch body {
        case .deviceAttach: 0...1
        default: 0...0
        }
    }

    /// Checks what came with the packet. `truncated`: the kernel could not hand over all of them.
    package func checkDescriptors(count: Int, truncated: Bool = false) throws(WireFault) {
        if truncated { throw .descriptorsTruncated }
        if !descriptorCounts.contains(count) { throw .wrongDescriptorCount(count, expected: descriptorCounts) }
    }
}
