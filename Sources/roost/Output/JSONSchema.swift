import RoostAPI

/// The JSON that `-o json` writes: one object a line.
///
/// * `key`, `value` and `items` are strings where the bytes are UTF-8. Where they are not, they
///   are base64, and the same object says so: `"keyEncoding":"base64"`,
///   `"valueEncoding":"base64"`. With `--hex` they are hexadecimal and the marker is `"hex"`.
///   Numbers and booleans are JSON numbers (int64 in full) and booleans; NaN and the infinities
///   are the strings `NaN`, `Infinity`, `-Infinity`.
/// * `type` is `text`, `bytes`, `int`, `double`, `bool` or `list`. A list is an array, and its
///   items share one encoding.
/// * An entry has `key`, `found` where the key was asked for by name, and where it was found
///   `type`, `value` (not with `--keys-only`), `revision`, `createRevision`, `version`,
///   `createdAtMs`, `updatedAtMs` and `expiresAtMs` (`null`: never). `valueOmitted` is there, and
///   `true`, where the value was too large for a page.
enum JSONSchema {
  enum Encoding { case utf8, base64, hex }

  static func encoding(of items: [[UInt8]], isHex: Bool) -> Encoding {
    isHex ? .hex : items.allSatisfy(ValueType.isUTF8) ? .utf8 : .base64
  }

  static func text(_ bytes: [UInt8], _ encoding: Encoding) -> String {
    switch encoding {
    case .utf8: String(decoding: bytes, as: UTF8.self)
    case .base64: Base64Text.text(bytes)
    case .hex: HexText.text(bytes)
    }
  }
}

extension JSONWriter {
  /// `key`, and `keyEncoding` where it is needed.
  mutating func key(_ key: [UInt8], isHex: Bool) {
    let encoding = JSONSchema.encoding(of: [key], isHex: isHex)
    name("key")
    string(JSONSchema.text(key, encoding))
    marker("keyEncoding", encoding)
  }

  /// `type`, `value`, and `valueEncoding` where it is needed.
  mutating func value(_ value: Value, isHex: Bool) {
    name("type")
    string("\(value.typeName)")
    name("value")
    switch value.kind {
    case .bytesValue(let bytes), .textValue(let bytes):
      let encoding = JSONSchema.encoding(of: [bytes], isHex: isHex)
      string(JSONSchema.text(bytes, encoding))
      marker("valueEncoding", encoding)
    case .intValue(let number): integer(number)
    case .doubleValue(let number): double(number)
    case .boolValue(let flag): bool(flag)
    case .listValue(let list): items(list.items, isHex: isHex)
    case nil: null()
    }
  }

  /// An array of strings (its name is written already), then the marker `valueEncoding`.
  mutating func items(_ items: [[UInt8]], isHex: Bool) {
    let encoding = JSONSchema.encoding(of: items, isHex: isHex)
    array { json in
      for item in items { json.string(JSONSchema.text(item, encoding)) }
    }
    marker("valueEncoding", encoding)
  }

  /// The members of an entry behind its key.
  mutating func entry(_ entry: Entry, isHex: Bool) {
    if let value = entry.value { self.value(value, isHex: isHex) }
    if entry.valueOmitted {
      name("valueOmitted")
      bool(true)
    }
    name("revision")
    integer(entry.revision)
    name("createRevision")
    integer(entry.createRevision)
    name("version")
    integer(entry.version)
    name("createdAtMs")
    integer(entry.createdAtMs)
    name("updatedAtMs")
    integer(entry.updatedAtMs)
    name("expiresAtMs")
    if entry.expiresAtMs == 0 { null() } else { integer(entry.expiresAtMs) }
  }

  private mutating func marker(_ name: StaticString, _ encoding: JSONSchema.Encoding) {
    switch encoding {
    case .utf8: return
    case .base64:
      self.name(name)
      string("base64")
    case .hex:
      self.name(name)
      string("hex")
    }
  }
}
