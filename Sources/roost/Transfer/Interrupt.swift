import Glibc
import Synchronization

/// Ctrl-C, or the signal that asks a process to end, was seen.
struct Interrupted: Error {}

/// Lets a long command end in its own order on the first SIGINT or SIGTERM. The second one ends
/// the process at once.
enum Interrupt {
  private static let isRaised = Atomic(false)

  /// From here on signals are noted rather than obeyed.
  static func watch() {
    // Made now: the handler must not be the first to ask for it.
    _ = isRaised.load(ordering: .relaxed)
    for number in [SIGINT, SIGTERM] {
      var old = sigaction()
      sigaction(number, nil, &old)
      // A shell starts background jobs with SIGINT ignored; it stays so.
      if unsafeBitCast(old.__sigaction_handler.sa_handler, to: Int.self) == 1 { continue }
      var action = sigaction()
      action.__sigaction_handler.sa_handler = { _ in
        Interrupt.isRaised.store(true, ordering: .relaxed)
      }
      action.sa_flags = Int32(bitPattern: UInt32(SA_RESETHAND))
      sigaction(number, &action, nil)
    }
  }

  /// - Throws: `Interrupted`.
  static func check() throws {
    if isRaised.load(ordering: .relaxed) { throw Interrupted() }
  }
}
