/// Why a request was refused: `enum smmu_broker_reason` of the header.
package enum Reason: UInt32, Hashable, Sendable, CaseIterable {
    case none = 0

    // The packet itself.
    case tooShort = 1
    case tooLong = 2
    case sizeMismatch = 3
    case unknownType = 4
    case reservedNotZero = 5
    case wrongDescriptorCount = 6
    case descriptorsTruncated = 7
    case badName = 8
    case badCount = 9
    case badValue = 10

    // The conversation.
    case helloExpected = 16
    case helloRepeated = 17
    case badVersion = 18
    case notSupported = 19
    case notGranted = 20
    case quota = 21

    // Memory.
    case notMemory = 32
    case notSealed = 33
    case hugetlbUnsupported = 34
    case descriptorNotWritable = 35
    case notAligned = 36
    case addressOverflow = 37
    case beyondFile = 38
    case overlap = 39
    case noSuchMap = 40
    case msiWindow = 41

    // Objects.
    case unknownVSMMU = 48
    case unknownVSID = 49
    case duplicateVSID = 50
    case unknownDevice = 51
    case deviceBusy = 52
    case otherSMMU = 53
    case narrowerDevice = 54
    case vsmmuInUse = 55
    case vsmmuFailed = 56
    case missingContext = 57
    case unknownStallTag = 58
    case notOrphaned = 59
    case notSocket = 60
    case notEventFD = 61

    // Commands.
    case illegalCommand = 64
    case configurationCommand = 65
    case pageResponseCommand = 66

    // The host.
    case hostFailure = 80

    // The admin socket.
    case unknownSession = 96

    /// The name in the header, without `SMMU_BROKER_REASON_`: the one that documents, tests and logs use.
    package var name: String {
        switch self {  // A table: one line for each reason.
        case .none: "NONE"
        case .tooShort: "TOO_SHORT"
        case .tooLong: "TOO_LONG"
        case .sizeMismatch: "SIZE_MISMATCH"
        case .unknownType: "UNKNOWN_TYPE"
        case .reservedNotZero: "RESERVED_NOT_ZERO"
        case .wrongDescriptorCount: "WRONG_FD_COUNT"
        case .descriptorsTruncated: "FDS_TRUNCATED"
        case .badName: "BAD_NAME"
        case .badCount: "BAD_COUNT"
        case .badValue: "BAD_VALUE"
        case .helloExpected: "HELLO_EXPECTED"
        case .helloRepeated: "HELLO_REPEATED"
        case .badVersion: "BAD_VERSION"
        case .notSupported: "NOT_SUPPORTED"
        case .notGranted: "NOT_GRANTED"
        case .quota: "QUOTA"
        case .notMemory: "NOT_MEMORY"
        case .notSealed: "NOT_SEALED"
        case .hugetlbUnsupported: "HUGETLB_UNSUPPORTED"
        case .descriptorNotWritable: "FD_NOT_WRITABLE"
        case .notAligned: "NOT_ALIGNED"
        case .addressOverflow: "ADDRESS_OVERFLOW"
        case .beyondFile: "BEYOND_FILE"
        case .overlap: "OVERLAP"
        case .noSuchMap: "NO_SUCH_MAP"
        case .msiWindow: "MSI_WINDOW"
        case .unknownVSMMU: "UNKNOWN_VSMMU"
        case .unknownVSID: "UNKNOWN_VSID"
        case .duplicateVSID: "DUPLICATE_VSID"
        case .unknownDevice: "UNKNOWN_DEVICE"
        case .deviceBusy: "DEVICE_BUSY"
        case .otherSMMU: "OTHER_SMMU"
        case .narrowerDevice: "NARROWER_DEVICE"
        case .vsmmuInUse: "VSMMU_IN_USE"
        case .vsmmuFailed: "VSMMU_FAILED"
        case .missingContext: "MISSING_CONTEXT"
        case .unknownStallTag: "UNKNOWN_STAG"
        case .notOrphaned: "NOT_ORPHANED"
        case .notSocket: "NOT_SOCKET"
        case .notEventFD: "NOT_EVENTFD"
        case .illegalCommand: "ILLEGAL_COMMAND"
        case .configurationCommand: "CONFIGURATION_COMMAND"
        case .pageResponseCommand: "PAGE_RESPONSE_COMMAND"
        case .hostFailure: "HOST_FAILURE"
        case .unknownSession: "UNKNOWN_SESSION"
        }
    }
}

/// CMDQ_CONS.ERR as the guest is to see it (IHI 0070, 7.1).
package enum CommandError: UInt32, Hashable, Sendable, CaseIterable {
    case none = 0
    case illegal = 1
    case abort = 2
    case atcInvalidationSync = 3
}
