import BrokerCore

/// How long a session waits for its client before it ends: what a client leaves undone must not hold what others need.
package struct Patience: Sendable {
    /// Milliseconds from the connection to the HELLO that is granted. Not for sessions that an operator has made.
    package var hello: UInt64 = 10_000
    /// Milliseconds for which a reply may wait for room in the client's socket. That holds a few hundred replies: a client
    /// that has one request under way at a time never gets there, however long it is stopped.
    package var reply: UInt64 = 60_000

    package init() {}
}
