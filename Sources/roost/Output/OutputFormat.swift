import ArgumentParser

/// The forms of an answer on standard output.
enum OutputFormat: String, CaseIterable, Sendable, ExpressibleByArgument {
  /// Lines: a value as it is, several as one line each, columns apart by tabs.
  case simple
  /// One JSON object a line, in the schema of `JSONSchema`.
  case json
  /// Exactly the stored bytes.
  case raw
  /// Columns under a heading.
  case table
}
