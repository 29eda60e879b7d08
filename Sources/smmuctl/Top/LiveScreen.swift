import LinuxSystem

/// Where something is drawn again and again, and what may end that: signals, and keys of a terminal.
///
/// On a terminal it is drawn on the alternate screen, and what was there before is back when this is dropped. Elsewhere
/// one picture follows the other.
struct LiveScreen: ~Copyable {
    private let signals: SignalFD
    private let epoll: Epoll
    /// nil: standard input is no terminal.
    private let keys: TerminalKeys?
    let isTerminal: Bool

    private static let input: Int32 = 0
    private static let output: Int32 = 1
    private enum Token { static let signal: UInt64 = 1, key: UInt64 = 2 }

    init() throws(Errno) {
        // SIGHUP, SIGINT, SIGTERM.
        let signals = try SignalFD([1, 2, 15])
        let epoll = try Epoll()
        try epoll.add(signals.fd.raw, .readable, data: Token.signal)
        let isTerminal = System.isTerminal(Self.output)
        let keys = isTerminal ? try? TerminalKeys(of: Self.input) : nil
        if keys != nil { try epoll.add(Self.input, .readable, data: Token.key) }
        self.signals = signals
        self.epoll = epoll
        self.keys = keys
        self.isTerminal = isTerminal
        // The alternate screen, without cursor, without wrapping of long lines.
        if isTerminal { Self.write("\u{1b}[?1049h\u{1b}[?25l\u{1b}[?7l") }
    }

    deinit {
        if isTerminal { Self.write("\u{1b}[?7h\u{1b}[?25h\u{1b}[?1049l") }
    }

    /// As many as can be seen; nil: any number.
    var rows: Int? { isTerminal ? TerminalSize(of: Self.output)?.rows : nil }

    borrowing func draw(_ lines: [String]) {
        if isTerminal {
            Self.write("\u{1b}[H" + lines.map { "\($0)\u{1b}[K" }.joined(separator: "\r\n") + "\u{1b}[J")
        } else {
            Self.write(lines.joined(separator: "\n") + "\n")
        }
    }

    private static func write(_ text: String) {
        print(text, terminator: "")
        System.flush()
    }

    /// Waits until `deadline`; false: it is to end, by `q`, Ctrl-C or a signal.
    borrowing func wait(until deadline: MonotonicTime) throws(Errno) -> Bool {
        var batch = Epoll.emptyBatch
        while true {
            let now = MonotonicTime.now
            if now >= deadline { return true }
            let rest = (deadline.nanoseconds - now.nanoseconds + 999_999) / 1_000_000
            let count = try epoll.wait(&batch, milliseconds: Int32(clamping: rest))
            for index in 0..<count {
                if batch[index].token == Token.signal { return false }
                guard let key = try takeKey() else { continue }
                if key == UInt8(ascii: "q") || key == UInt8(ascii: "Q") || key == Self.controlC { return false }
            }
        }
    }

    private static let controlC: UInt8 = 3

    private borrowing func takeKey() throws(Errno) -> UInt8? {
        switch keys {
        case .some(let keys): try keys.take()
        case .none: nil
        }
    }
}
