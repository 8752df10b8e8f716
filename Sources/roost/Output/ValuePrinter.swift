import RoostAPI

/// Writes one value, or the items of a list, without their key.
struct ValuePrinter {
  private let presentation: Presentation

  init(_ presentation: Presentation) { self.presentation = presentation }

  /// `simple` and `raw`: the value alone. A list has a line for each item.
  func write(_ value: Value?, to sink: inout ByteSink) throws {
    switch value?.kind {
    case .listValue(let list): try writeLines(list.items, to: &sink)
    case .bytesValue(let bytes), .textValue(let bytes): try writeAlone(bytes, to: &sink)
    case let kind?:
      try sink.write(kind.bytes)
      if presentation.format != .raw { try sink.write("\n") }
    case nil: break
    }
  }

  /// One item that was asked for alone: its exact bytes off a terminal.
  func writeAlone(_ bytes: [UInt8], to sink: inout ByteSink) throws {
    try sink.write(presentation.alone(bytes))
    if presentation.format != .raw { try sink.write("\n") }
  }

  /// Items, each on a line of its own; `raw` writes their bytes and the terminator.
  func writeLines(_ items: [[UInt8]], to sink: inout ByteSink) throws {
    for item in items {
      if presentation.format == .raw {
        try sink.write(item)
        try sink.write(CollectionOfOne(presentation.rawTerminator))
      } else {
        try sink.write(presentation.cell(item) + "\n")
      }
    }
  }

  /// A table of items with their index.
  func writeTable(_ items: [[UInt8]], firstIndex: Int64, to sink: inout ByteSink) throws {
    var table = TextTable(
      [.init("INDEX", .right), .init("ITEM")], maxLineColumns: presentation.lineColumns)
    for (offset, item) in items.enumerated() {
      table.append([String(firstIndex + Int64(offset)), presentation.cell(item)])
    }
    try sink.write(table.rendered(style: presentation.style))
  }
}
