/// A change of a session's state: the only way in which one comes about.
package enum Change: Hashable, Sendable {
    case unmade
}
