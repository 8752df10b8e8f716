import RoostAPI

/// Writes entries as they come, a page at a time, in all four formats.
struct EntryPrinter {
  private let presentation: Presentation
  private let keysOnly: Bool
  /// The keys were asked for by name, so JSON says of each whether it was found.
  private let saysFound: Bool
  /// For the tables' lifetimes: Unix time in milliseconds.
  private let nowMillis: Int64
  private var widths: [Int] = []
  private var hasHeading = false

  init(_ presentation: Presentation, keysOnly: Bool, saysFound: Bool, nowMillis: Int64) {
    self.presentation = presentation
    self.keysOnly = keysOnly
    self.saysFound = saysFound
    self.nowMillis = nowMillis
  }

  /// Whether a value that the page left out has to be fetched: a table only says that it is large.
  var needsOmittedValues: Bool { presentation.format != .table && !keysOnly }

  /// - Parameter entries: `nil`: there is no such key.
  mutating func rendered(_ entries: [(key: [UInt8], entry: Entry?)]) -> [UInt8] {
    switch presentation.format {
    case .simple: return entries.flatMap { $0.entry.map(simple) ?? [] }
    case .raw: return entries.flatMap { $0.entry.map(raw) ?? [] }
    case .json: return entries.flatMap { json($0.key, $0.entry) }
    case .table: return table(entries)
    }
  }

  private func simple(_ entry: Entry) -> [UInt8] {
    var fields = [presentation.cell(entry.key)]
    if !keysOnly { fields += presentation.cells(entry) }
    return Array(fields.joined(separator: "\t").utf8) + [0x0a]
  }

  private func raw(_ entry: Entry) -> [UInt8] {
    let end = [presentation.rawTerminator]
    if keysOnly { return entry.key + end }
    if case .listValue(let list) = entry.value?.kind { return list.items.flatMap { $0 + end } }
    return (entry.value?.kind?.bytes ?? []) + end
  }

  private func json(_ key: [UInt8], _ entry: Entry?) -> [UInt8] {
    var json = JSONWriter()
    json.object { json in
      json.key(key, isHex: presentation.isHex)
      if saysFound {
        json.name("found")
        json.bool(entry != nil)
      }
      if let entry { json.entry(entry, isHex: presentation.isHex) }
    }
    return json.bytes + [0x0a]
  }

  private mutating func table(_ entries: [(key: [UInt8], entry: Entry?)]) -> [UInt8] {
    var columns: [TextTable.Column] = [
      .init("KEY"), .init("REVISION", .right), .init("TTL", .right),
    ]
    if !keysOnly { columns += [.init("TYPE"), .init("VALUE")] }
    var table = TextTable(columns, maxLineColumns: presentation.lineColumns)
    for (key, entry) in entries {
      var cells = [presentation.cell(key)]
      if let entry {
        cells += [String(entry.revision), lifetime(entry)]
        if !keysOnly { cells += ["\(entry.value?.typeName ?? "-")", value(entry)] }
      } else {
        cells += ["-", "-"] + (keysOnly ? [] : ["-", "(not found)"])
      }
      table.append(cells)
    }
    defer { hasHeading = true }
    return Array(
      table.rendered(style: presentation.style, heading: !hasHeading, widths: &widths).utf8)
  }

  private func value(_ entry: Entry) -> String {
    entry.valueOmitted ? Presentation.omittedValue : presentation.tableCell(entry.value)
  }

  private func lifetime(_ entry: Entry) -> String {
    if entry.expiresAtMs == 0 { return "never" }
    return DurationText.text(milliseconds: max(0, entry.expiresAtMs - nowMillis))
  }
}
