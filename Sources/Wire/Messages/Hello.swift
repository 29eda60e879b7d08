/// The first request: who the VM is, and what the client speaks and wants.
package struct HelloRequest: TypedRequest {
    package var version: UInt32
    /// Those the client wants. Unknown ones are kept here, and never answered.
    package var features: Features
    /// Of the VM, for people.
    package var name: Name

    package static let type = RequestType.hello
    package static let byteCount = 96

    package enum Layout {
        package static let version = WireField<UInt32>("version", 16)
        package static let reserved = WireField<UInt32>("reserved", 20)
        package static let features = WireField<Features>("features", 24)
        package static let name = WireField<Name>("name", 32)
    }

    package init(version: UInt32 = Limits.version, features: Features, name: Name) {
        (self.version, self.features, self.name) = (version, features, name)
    }

    package init(fields packet: RawSpan) throws(WireFault) {
        try packet.requireZero(Layout.reserved)
        version = packet[Layout.version]
        if version == 0 { throw .badVersion(version) }
        features = packet[Layout.features]
        name = try packet.name(Layout.name)
    }

    package func store(into packet: inout MutableRawSpan) {
        packet.set(Layout.version, to: version)
        packet.set(Layout.features, to: features)
        packet.set(Layout.name, to: name)
    }
}

/// What is spoken from now on, and how much the session may have.
package struct HelloReply: FixedReply {
    /// The lower of both sides' highest.
    package var version: UInt32
    package var maximumPacket: UInt32
    /// Those of the wanted that are there.
    package var features: Features
    package var epoch: Epoch
    /// Bytes that may be mapped.
    package var maximumMemory: UInt64
    package var maximumVSMMUs: UInt32
    package var maximumContexts: UInt32
    /// In one COMMANDS.
    package var maximumCommands: UInt32

    package static let byteCount = 80

    package enum Layout {
        package static let version = WireField<UInt32>("version", 32)
        package static let maximumPacket = WireField<UInt32>("maximum_packet", 36)
        package static let features = WireField<Features>("features", 40)
        package static let epoch = WireField<Epoch>("epoch", 48)
        package static let maximumMemory = WireField<UInt64>("maximum_memory", 56)
        package static let maximumVSMMUs = WireField<UInt32>("maximum_vsmmus", 64)
        package static let maximumContexts = WireField<UInt32>("maximum_contexts", 68)
        package static let maximumCommands = WireField<UInt32>("maximum_commands", 72)
        package static let reserved = WireField<UInt32>("reserved", 76)
    }

    package init(
        version: UInt32, maximumPacket: UInt32, features: Features, epoch: Epoch, maximumMemory: UInt64,
        maximumVSMMUs: UInt32, maximumContexts: UInt32, maximumCommands: UInt32
    ) {
        (self.version, self.maximumPacket, self.features, self.epoch) = (version, maximumPacket, features, epoch)
        (self.maximumMemory, self.maximumVSMMUs) = (maximumMemory, maximumVSMMUs)
        (self.maximumContexts, self.maximumCommands) = (maximumContexts, maximumCommands)
    }

    package init(fields packet: RawSpan) throws(WireFault) {
        try packet.requireZero(Layout.reserved)
        version = packet[Layout.version]
        maximumPacket = packet[Layout.maximumPacket]
        features = packet[Layout.features]
        epoch = packet[Layout.epoch]
        maximumMemory = packet[Layout.maximumMemory]
        maximumVSMMUs = packet[Layout.maximumVSMMUs]
        maximumContexts = packet[Layout.maximumContexts]
        maximumCommands = packet[Layout.maximumCommands]
    }

    package func store(into packet: inout MutableRawSpan) {
        packet.set(Layout.version, to: version)
        packet.set(Layout.maximumPacket, to: maximumPacket)
        packet.set(Layout.features, to: features)
        packet.set(Layout.epoch, to: epoch)
        packet.set(Layout.maximumMemory, to: maximumMemory)
        packet.set(Layout.maximumVSMMUs, to: maximumVSMMUs)
        packet.set(Layout.maximumContexts, to: maximumContexts)
        packet.set(Layout.maximumCommands, to: maximumCommands)
    }
}
