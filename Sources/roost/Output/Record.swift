/// An answer of a few named fields, in all four formats.
struct Record {
  enum Field {
    case integer(Int64)
    case bool(Bool)
    case text(String)
    case null
  }

  private(set) var fields: [(name: StaticString, value: Field)] = []
  private let key: [UInt8]?
  /// What a script wants: the one thing that simple output has off a terminal.
  private let plain: String
  /// What a person reads: simple output on a terminal.
  private let sentence: String

  /// - Parameter key: The first field, where the answer is about one key.
  init(key: [UInt8]? = nil, plain: String, sentence: String) {
    self.key = key
    self.plain = plain
    self.sentence = sentence
  }

  func with(_ name: StaticString, _ value: Field) -> Record {
    var record = self
    record.fields.append((name, value))
    return record
  }

  func rendered(_ presentation: Presentation) -> [UInt8] {
    switch presentation.format {
    case .simple where presentation.isTerminal: Array("\(sentence)\n".utf8)
    case .simple, .raw: Array("\(plain)\n".utf8)
    case .json: json(presentation)
    case .table: table(presentation)
    }
  }

  private func json(_ presentation: Presentation) -> [UInt8] {
    var json = JSONWriter()
    json.object { json in
      if let key { json.key(key, isHex: presentation.isHex) }
      for field in fields {
        json.name(field.name)
        switch field.value {
        case .integer(let number): json.integer(number)
        case .bool(let flag): json.bool(flag)
        case .text(let text): json.string(text)
        case .null: json.null()
        }
      }
    }
    return json.bytes + [0x0a]
  }

  /// `expiresAtMs` becomes `EXPIRES AT MS`.
  private static func heading(_ name: String) -> String {
    name.reduce(into: "") { heading, letter in
      if letter.isUppercase { heading += " " }
      heading += letter.uppercased()
    }
  }

  private func table(_ presentation: Presentation) -> [UInt8] {
    var columns = key == nil ? [] : [TextTable.Column("KEY")]
    var cells = key.map { [presentation.cell($0)] } ?? []
    for field in fields {
      let heading = Self.heading("\(field.name)")
      switch field.value {
      case .integer(let number):
        columns.append(.init(heading, .right))
        cells.append(String(number))
      case .bool(let flag):
        columns.append(.init(heading))
        cells.append(flag ? "yes" : "no")
      case .text(let text):
        columns.append(.init(heading))
        cells.append(EscapedText.line(Array(text.utf8)))
      case .null:
        columns.append(.init(heading))
        cells.append("-")
      }
    }
    var table = TextTable(columns)
    table.append(cells)
    return Array(table.rendered(style: presentation.style).utf8)
  }
}
