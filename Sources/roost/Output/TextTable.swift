/// Rows under a heading, in columns as wide as their widest cell, two spaces apart.
struct TextTable {
  enum Alignment { case left, right }

  struct Column {
    let heading: String
    let alignment: Alignment

    init(_ heading: String, _ alignment: Alignment = .left) {
      self.heading = heading
      self.alignment = alignment
    }
  }

  /// A cell wider than this is cut, with an ellipsis. The last of a row is cut at the end of
  /// the line.
  static let maxCellColumns = 60
  /// What is left to the last column, however narrow the terminal is.
  static let minLastColumns = 16

  let columns: [Column]
  private(set) var rows: [[String]] = []
  private let maxLineColumns: Int?

  /// - Parameter maxLineColumns: The terminal's width; `nil`: the last column is never cut.
  init(_ columns: [Column], maxLineColumns: Int? = nil) {
    self.columns = columns
    self.maxLineColumns = maxLineColumns
  }

  /// - Parameter cells: One for each column, without control characters.
  mutating func append(_ cells: [String]) {
    precondition(cells.count == columns.count)
    let last = cells.count - 1
    rows.append(cells.enumerated().map { $0 == last ? $1 : Self.cut($1, to: Self.maxCellColumns) })
  }

  /// - Parameters:
  ///   - heading: The heading is repeated for each page of a stream only where this is set.
  ///   - widths: Columns are at least this wide, so that pages of one stream line up; updated.
  func rendered(style: TerminalStyle, heading: Bool = true, widths: inout [Int]) -> String {
    if widths.isEmpty { widths = columns.map { DisplayWidth.columns($0.heading) } }
    for row in rows {
      for (index, cell) in row.enumerated() {
        widths[index] = max(widths[index], DisplayWidth.columns(cell))
      }
    }
    var text = ""
    if heading { text += style.bold(line(columns.map(\.heading), widths: widths)) + "\n" }
    for row in rows { text += line(row, widths: widths) + "\n" }
    return text
  }

  func rendered(style: TerminalStyle, heading: Bool = true) -> String {
    var widths: [Int] = []
    return rendered(style: style, heading: heading, widths: &widths)
  }

  private func line(_ cells: [String], widths: [Int]) -> String {
    var line = ""
    for (index, full) in cells.enumerated() {
      let isLast = index == cells.count - 1
      let cell = isLast ? cutLast(full, widths: widths) : full
      let space = String(
        repeating: " ", count: max(0, widths[index] - DisplayWidth.columns(cell)))
      switch columns[index].alignment {
      case .left: line += isLast ? cell : cell + space
      case .right: line += space + cell
      }
      if !isLast { line += "  " }
    }
    return line
  }

  private func cutLast(_ cell: String, widths: [Int]) -> String {
    guard let maxLineColumns else { return cell }
    let before = widths.dropLast().reduce(0) { $0 + $1 + 2 }
    return Self.cut(cell, to: max(Self.minLastColumns, maxLineColumns - before))
  }

  private static func cut(_ cell: String, to columns: Int) -> String {
    guard DisplayWidth.columns(cell) > columns else { return cell }
    var width = 0
    let kept = cell.prefix { character in
      width += DisplayWidth.columns(character)
      return width < columns
    }
    return kept + "…"
  }
}
