import Glibc

/// One line of a terminal that says how far a command has got. Off a terminal nothing is written.
struct TransferProgress {
  /// How often the line changes.
  static let intervalNanos: UInt64 = 100_000_000
  /// Of a terminal that does not say how wide it is.
  static let defaultColumns = 80
  static let maxBarColumns = 40

  private let context: CommandContext
  private let verb: String
  private let isShown: Bool
  private let startNanos = MonotonicClock.nowNanos()
  private var nextNanos: UInt64 = 0
  private var hasLine = false

  /// - Parameter verb: The first word of the line: `exporting`.
  init(_ context: CommandContext, verb: String) {
    self.context = context
    self.verb = verb
    isShown = Self.isPossible(context)
  }

  static func isPossible(_ context: CommandContext) -> Bool {
    context.terminal.errorIsTerminal && context.environment["TERM"] != "dumb"
  }

  var elapsedNanos: UInt64 { MonotonicClock.nowNanos() - startNanos }

  /// - Parameter fraction: Of the whole, from 0 to 1; `nil`: nobody knows.
  mutating func update(entries: Int64, fraction: @autoclosure () -> Double?) {
    guard isShown else { return }
    let now = MonotonicClock.nowNanos()
    guard now >= nextNanos else { return }
    nextNanos = now + Self.intervalNanos
    hasLine = true
    let line = Self.line(
      verb: verb, entries: entries, elapsedNanos: now - startNanos, fraction: fraction(),
      columns: Self.terminalColumns())
    context.note("\r\(line)\u{1b}[K")
  }

  /// Takes the line away, for something else to be written.
  mutating func clear() {
    if hasLine { context.note("\r\u{1b}[K") }
    hasLine = false
    nextNanos = 0
  }

  /// `exporting [#####-----]  50 %  1234 entries  5678/s`, cut to the terminal's width.
  static func line(
    verb: String, entries: Int64, elapsedNanos: UInt64, fraction: Double?, columns: Int
  ) -> String {
    let counts = "  \(entries) entries  \(TransferRate.perSecond(entries, elapsedNanos))/s"
    // The last column stays free: writing there would break the line on some terminals.
    let room = max(0, columns - 1)
    guard let fraction else { return String((verb + counts).prefix(room)) }
    let part = min(1, max(0, fraction))
    let number = String(Int(part * 100))
    let percent = String(repeating: " ", count: 3 - number.count) + number + " %"
    let rest = room - verb.count - percent.count - counts.count - 4
    let barColumns = min(maxBarColumns, rest)
    guard barColumns >= 4 else { return String("\(verb) \(percent)\(counts)".prefix(room)) }
    let filled = Int(part * Double(barColumns))
    let bar =
      String(repeating: "#", count: filled) + String(repeating: "-", count: barColumns - filled)
    return "\(verb) [\(bar)] \(percent)\(counts)"
  }

  private static func terminalColumns() -> Int {
    var size = winsize()
    let isKnown = ioctl(STDERR_FILENO, UInt(TIOCGWINSZ), &size) == 0 && size.ws_col > 0
    return isKnown ? Int(size.ws_col) : defaultColumns
  }
}

/// How fast something went.
enum TransferRate {
  static func perSecond(_ count: Int64, _ elapsedNanos: UInt64) -> Int64 {
    elapsedNanos == 0 ? 0 : Int64(Double(count) / Double(elapsedNanos) * 1_000_000_000)
  }

  /// `12 entries in 1s (12/s)`, for summaries.
  static func text(_ count: Int64, _ elapsedNanos: UInt64) -> String {
    let span = DurationText.text(milliseconds: Int64(elapsedNanos / 1_000_000))
    return "\(count) \(count == 1 ? "entry" : "entries") in \(span) "
      + "(\(perSecond(count, elapsedNanos))/s)"
  }
}
