import RoostAPI

/// The text that `roost export` writes and `roost import` reads: NDJSON, an object a line, each
/// line ended by a line break. `roost.md` shows it; the names here are the ones on the lines.
///
/// 1. The first line is the header; `roost_export` in it is `version`. A reader refuses a newer
///    one, and ignores members of the header that it does not know.
/// 2. A line for each entry, in the order of the keys' bytes. Members have the API's names and
///    units. An unknown one is refused: what adds to an entry takes a new version.
/// 3. The last line is the trailer, with the number of entries: a text without it is cut short.
/// 4. Bytes (a key, a value, an item) are a string where they are UTF-8. Where they are not, and
///    for values of the type `bytes`, they are `{"base64":"…"}`. `base64` is RFC 4648, section 4.
/// 5. An int over 2^53 - 1 either way is a string, since many readers of JSON would round it.
/// 6. A double is a number that reads back as the same bits, or one of the strings `NaN`,
///    `Infinity` and `-Infinity`; a NaN with other bits than those of `canonicalNaNBits` is
///    `NaN(…)` with its 16 hexadecimal digits.
enum ExportFormat {
  static let version: Int64 = 1
  static let maxExactInteger: Int64 = (1 << 53) - 1
  static let canonicalNaNBits: UInt64 = 0x7ff8_0000_0000_0000

  static let header: StaticString = "roost_export"
  static let trailer: StaticString = "roost_export_end"
  static let entryCount: StaticString = "entries"
  static let base64: StaticString = "base64"
}

/// What the first line says beside the format's version.
struct ExportHeader: Equatable {
  var serverVersion: String
  /// Of the store, when the export began.
  var revision: Int64
  /// Unix time.
  var exportedAtMs: Int64
  var prefix: [UInt8]
}

extension JSONWriter {
  mutating func exportHeader(_ header: ExportHeader) {
    object { json in
      json.name(ExportFormat.header)
      json.integer(ExportFormat.version)
      json.name("server_version")
      json.string(header.serverVersion)
      json.name("revision")
      json.integer(header.revision)
      json.name("exported_at_ms")
      json.integer(header.exportedAtMs)
      json.name("prefix")
      json.exportBytes(header.prefix)
    }
  }

  /// - Parameter kind: The entry's value.
  mutating func exportEntry(_ entry: Entry, _ kind: Value.Kind) {
    object { json in
      json.name("key")
      json.exportBytes(entry.key)
      json.name("type")
      json.string("\(Value(kind: kind).typeName)")
      json.name("value")
      json.exportValue(kind)
      json.name("revision")
      json.integer(entry.revision)
      json.name("create_revision")
      json.integer(entry.createRevision)
      json.name("version")
      json.integer(entry.version)
      json.name("created_at_ms")
      json.integer(entry.createdAtMs)
      json.name("updated_at_ms")
      json.integer(entry.updatedAtMs)
      json.name("expires_at_ms")
      if entry.expiresAtMs == 0 { json.null() } else { json.integer(entry.expiresAtMs) }
    }
  }

  mutating func exportTrailer(entryCount: Int64) {
    object { json in
      json.name(ExportFormat.trailer)
      json.integer(ExportFormat.version)
      json.name(ExportFormat.entryCount)
      json.integer(entryCount)
    }
  }

  private mutating func exportValue(_ kind: Value.Kind) {
    switch kind {
    case .textValue(let bytes): exportBytes(bytes)
    case .bytesValue(let bytes): exportBase64(bytes)
    case .intValue(let value):
      let isExact = value.magnitude <= ExportFormat.maxExactInteger.magnitude
      if isExact { integer(value) } else { string(String(value)) }
    case .doubleValue(let value):
      if value.isNaN, value.bitPattern != ExportFormat.canonicalNaNBits {
        let digits = String(value.bitPattern, radix: 16)
        string("NaN(" + String(repeating: "0", count: 16 - digits.count) + digits + ")")
      } else {
        double(value)
      }
    case .boolValue(let value): bool(value)
    case .listValue(let list):
      array { json in
        for item in list.items { json.exportBytes(item) }
      }
    }
  }

  private mutating func exportBytes(_ bytes: [UInt8]) {
    if let text = String(validating: bytes, as: UTF8.self) {
      string(text)
    } else {
      exportBase64(bytes)
    }
  }

  private mutating func exportBase64(_ bytes: [UInt8]) {
    object { json in
      json.name(ExportFormat.base64)
      json.string(Base64Text.text(bytes))
    }
  }
}
