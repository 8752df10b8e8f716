import Glibc

/// An answer of many named fields, one below the other.
struct FieldSheet {
  enum Value {
    case text(String)
    case integer(Int64)
    case bool(Bool)
    case list([String])
    case null
  }

  struct Field {
    let name: StaticString
    let value: Value
    /// What a table shows in place of the plain value.
    let shown: String?

    init(_ name: StaticString, _ value: Value, shown: String? = nil) {
      self.name = name
      self.value = value
      self.shown = shown
    }
  }

  private let fields: [Field]

  init(_ fields: [Field]) { self.fields = fields }

  func rendered(_ presentation: Presentation) -> [UInt8] {
    switch presentation.format {
    case .simple, .raw: Array(fields.map(simple).joined().utf8)
    case .json: json()
    case .table: table(presentation)
    }
  }

  private func simple(_ field: Field) -> String {
    let values = plain(field.value).map { EscapedText.line(Array($0.utf8)) }
    return (["\(field.name)"] + values).joined(separator: "\t") + "\n"
  }

  private func json() -> [UInt8] {
    var json = JSONWriter()
    json.object { json in
      for field in fields {
        json.name(field.name)
        switch field.value {
        case .text(let text): json.string(text)
        case .integer(let number): json.integer(number)
        case .bool(let flag): json.bool(flag)
        case .list(let texts):
          json.array { json in
            for text in texts { json.string(text) }
          }
        case .null: json.null()
        }
      }
    }
    return json.bytes + [0x0a]
  }

  private func table(_ presentation: Presentation) -> [UInt8] {
    var table = TextTable(
      [.init("FIELD"), .init("VALUE")], maxLineColumns: presentation.lineColumns)
    for field in fields {
      let values = field.shown.map { [$0] } ?? plain(field.value)
      for (index, value) in values.enumerated() {
        table.append([index == 0 ? "\(field.name)" : "", EscapedText.line(Array(value.utf8))])
      }
    }
    return Array(table.rendered(style: presentation.style).utf8)
  }

  private func plain(_ value: Value) -> [String] {
    switch value {
    case .text(let text): [text]
    case .integer(let number): [String(number)]
    case .bool(let flag): [flag ? "true" : "false"]
    case .list(let texts): texts
    case .null: ["-"]
    }
  }
}

/// Sizes as people read them.
enum ByteCount {
  /// With one decimal from KiB on: `812 B`, `1.5 MiB`.
  static func text(_ bytes: Int64) -> String {
    var amount = Double(bytes)
    var unit = "B"
    for next in ["KiB", "MiB", "GiB", "TiB"] where amount >= 1024 {
      amount /= 1024
      unit = next
    }
    if unit == "B" { return "\(bytes) B" }
    let tenths = Int64((amount * 10).rounded())
    return "\(tenths / 10).\(tenths % 10) \(unit)"
  }
}

/// Points in time as people read them.
enum UTCTime {
  /// RFC 3339 to the second.
  /// - Parameter millis: Unix time.
  static func text(_ millis: Int64) -> String {
    var seconds = time_t(millis / 1000)
    var parts = tm()
    gmtime_r(&seconds, &parts)
    var buffer = [CChar](repeating: 0, count: 32)
    let length = strftime(&buffer, buffer.count, "%Y-%m-%dT%H:%M:%SZ", &parts)
    return String(decoding: buffer[..<length].map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }
}
