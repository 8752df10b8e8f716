import RoostAPI

/// How stored bytes appear in this run's output: the format, hexadecimal or not, and whether a
/// terminal shows them.
struct Presentation: Sendable {
  let format: OutputFormat
  let isHex: Bool
  let isTerminal: Bool
  let style: TerminalStyle
  /// The width of the terminal; `nil` off one.
  var lineColumns: Int?
  /// What ends each item of `raw` output.
  var rawTerminator = UInt8(ascii: "\n")

  /// Bytes inside a line or a cell.
  func cell(_ bytes: [UInt8]) -> String {
    isHex ? HexText.text(bytes) : EscapedText.line(bytes)
  }

  /// Stands for a value that did not fit the answer.
  static let omittedValue = "(too large)"

  /// The fields of an entry's value within a line.
  func cells(_ entry: Entry) -> [String] {
    entry.valueOmitted ? [Self.omittedValue] : cells(entry.value)
  }

  /// The fields of a value within a line: one, or for a list one for each item.
  func cells(_ value: Value?) -> [String] {
    switch value?.kind {
    case .listValue(let list): list.items.map(cell)
    case let kind?: [cell(kind)]
    case nil: []
    }
  }

  /// A value that stands alone, without the line break behind it: exactly the stored bytes off a
  /// terminal, and on one with its control characters escaped.
  func alone(_ bytes: [UInt8]) -> [UInt8] {
    if format == .raw { return bytes }
    if isHex { return Array(HexText.text(bytes).utf8) }
    return isTerminal ? Array(EscapedText.block(bytes).utf8) : bytes
  }

  private func cell(_ kind: Value.Kind) -> String {
    switch kind {
    case .bytesValue(let bytes), .textValue(let bytes): cell(bytes)
    case .listValue(let list): list.items.map(cell).joined(separator: ", ")
    case .intValue, .doubleValue, .boolValue: String(decoding: kind.bytes, as: UTF8.self)
    }
  }

  /// A whole value in one cell of a table.
  func tableCell(_ value: Value?) -> String { value?.kind.map(cell) ?? "" }
}

extension Value.Kind {
  /// The stored bytes, or the decimal text of a number; a list's items one after the other.
  var bytes: [UInt8] {
    switch self {
    case .bytesValue(let bytes), .textValue(let bytes): bytes
    case .intValue(let value): Array(String(value).utf8)
    case .doubleValue(let value): Array(value.description.utf8)
    case .boolValue(let value): Array((value ? "true" : "false").utf8)
    case .listValue(let list): list.items.flatMap(\.self)
    }
  }
}
