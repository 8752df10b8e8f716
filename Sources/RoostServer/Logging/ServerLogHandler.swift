import Glibc
import Logging

/// Writes log events as lines of text or JSON to standard error.
public struct ServerLogHandler: LogHandler {
  /// How a line looks.
  public enum Style: Sendable, Hashable {
    /// `2026-01-31T08:00:00.000Z info roostd: message key=value`.
    case text
    /// An object with `time`, `level`, `logger`, `message`, and what else the event has.
    case json
  }

  /// Goes with every event of this logger.
  public var metadata: Logger.Metadata = [:]
  /// Events below it are not logged.
  public var logLevel: Logger.Level
  /// Adds to each event what its context knows.
  public var metadataProvider: Logger.MetadataProvider?

  private let label: String
  private let style: Style
  private let sink: LogSink
  private let nowMillis: @Sendable () -> Int64

  init(
    label: String, style: Style, level: Logger.Level, sink: LogSink,
    nowMillis: @escaping @Sendable () -> Int64 = WallClock.nowMillis
  ) {
    self.label = label
    self.style = style
    logLevel = level
    self.sink = sink
    self.nowMillis = nowMillis
  }

  /// Makes loggers for the process that all write to standard error, a line at a time.
  public static func factory(
    format: LogFormat, level: Logger.Level
  ) -> @Sendable (_ label: String) -> any LogHandler {
    let style: Style =
      switch format {
      case .text: .text
      case .json: .json
      case .auto: isatty(STDERR_FILENO) == 1 ? .text : .json
      }
    let sink = LogSink()
    return { ServerLogHandler(label: $0, style: style, level: level, sink: sink) }
  }

  /// A part of `metadata`.
  public subscript(metadataKey key: String) -> Logger.Metadata.Value? {
    get { metadata[key] }
    set { metadata[key] = newValue }
  }

  /// Writes one event.
  public func log(event: LogEvent) {
    var all = metadata
    if let provided = metadataProvider?.get() { all.merge(provided) { _, new in new } }
    if let own = event.metadata { all.merge(own) { _, new in new } }
    if let error = event.error { all["error"] = "\(error)" }
    let line = line(event.level, "\(event.message)", all)
    sink.write(line) { count in
      self.line(.warning, "log lines were dropped", ["lines": "\(count)"])
    }
  }

  private func line(
    _ level: Logger.Level, _ message: String, _ metadata: Logger.Metadata
  ) -> String {
    let full = render(level, message, metadata)
    let line =
      full.utf8.count < LogSink.maxLineBytes
      ? full : render(level, message, ["log": "metadata left out: too long"])
    return LogText.withoutSecrets(line)
  }

  private func render(
    _ level: Logger.Level, _ message: String, _ metadata: Logger.Metadata
  ) -> String {
    let time = LogText.timestamp(millis: nowMillis())
    let pairs = metadata.sorted { $0.key < $1.key }.map { ($0.key, "\($0.value)") }
    switch style {
    case .text:
      let tail = pairs.map { " \(LogText.escape($0.0))=\(LogText.value($0.1))" }.joined()
      return "\(time) \(level) \(label): \(LogText.escape(message))\(tail)"
    case .json:
      let fields =
        [
          ("time", time), ("level", level.rawValue), ("logger", label), ("message", message),
        ] + pairs.map { (Self.reserved.contains($0.0) ? "_" + $0.0 : $0.0, $0.1) }
      return "{"
        + fields.map { LogText.json($0.0) + ":" + LogText.json($0.1) }.joined(separator: ",") + "}"
    }
  }

  private static let reserved: Set = ["time", "level", "logger", "message"]
}
