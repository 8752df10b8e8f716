import TTRPC

/// Protobuf and frames by hand, to write also what no client would, and to read answers without
/// the code under test.
public enum Wire {
  /// A base-128 number.
  public static func varint(_ value: UInt64) -> [UInt8] {
    var rest = value
    var bytes: [UInt8] = []
    while rest >= 0x80 {
      bytes.append(UInt8(rest & 0x7f) | 0x80)
      rest >>= 7
    }
    return bytes + [UInt8(rest)]
  }

  /// A field of bytes.
  public static func field(_ number: UInt64, _ bytes: [UInt8]) -> [UInt8] {
    varint(number << 3 | 2) + varint(UInt64(bytes.count)) + bytes
  }

  /// A field of text.
  public static func field(_ number: UInt64, _ text: String) -> [UInt8] {
    field(number, Array(text.utf8))
  }

  /// A field of an integer.
  public static func field(_ number: UInt64, integer: Int64) -> [UInt8] {
    varint(number << 3) + varint(UInt64(bitPattern: integer))
  }

  /// A `ttrpc.Request`.
  public static func envelope(
    service: String = "test.Echo", method: String = "Echo", payload: [UInt8] = [],
    timeoutNanos: Int64 = 0, metadata: [(String, String)] = []
  ) -> [UInt8] {
    var bytes = field(1, service) + field(2, method)
    if !payload.isEmpty { bytes += field(3, payload) }
    if timeoutNanos != 0 { bytes += field(4, integer: timeoutNanos) }
    for (key, value) in metadata { bytes += field(5, field(1, key) + field(2, value)) }
    return bytes
  }

  /// A frame; `claimedBytes` is what its header says where that is not the truth.
  public static func frame(
    _ data: [UInt8], stream: UInt32 = 1, type: UInt8 = 1, flags: UInt8 = 0,
    claimedBytes: UInt32? = nil
  ) -> [UInt8] {
    bigEndian(claimedBytes ?? UInt32(data.count)) + bigEndian(stream) + [type, flags] + data
  }

  /// A unary call.
  public static func request(
    stream: UInt32 = 1, service: String = "test.Echo", method: String = "Echo",
    payload: [UInt8] = [], timeoutNanos: Int64 = 0, metadata: [(String, String)] = []
  ) -> [UInt8] {
    frame(
      envelope(
        service: service, method: method, payload: payload, timeoutNanos: timeoutNanos,
        metadata: metadata), stream: stream)
  }

  static func bigEndian(_ value: UInt32) -> [UInt8] {
    [UInt8(value >> 24), UInt8(value >> 16 & 0xff), UInt8(value >> 8 & 0xff), UInt8(value & 0xff)]
  }

  /// A field that was read.
  public struct Field: Equatable {
    /// Its number.
    public var number: UInt64
    /// Of a varint.
    public var integer: UInt64 = 0
    /// Of a length-delimited field.
    public var bytes: [UInt8] = []
  }

  /// Varints and length-delimited fields, in order; `nil`: there is something else.
  public static func fields(_ data: [UInt8]) -> [Field]? {
    var found: [Field] = []
    var index = 0
    func next() -> UInt64? {
      var value: UInt64 = 0
      var shift: UInt64 = 0
      while index < data.count, shift < 64 {
        let byte = data[index]
        index += 1
        value |= UInt64(byte & 0x7f) << shift
        if byte < 0x80 { return value }
        shift += 7
      }
      return nil
    }
    while index < data.count {
      guard let tag = next(), let value = next() else { return nil }
      if tag & 7 == 0 {
        found.append(Field(number: tag >> 3, integer: value))
      } else {
        guard tag & 7 == 2, value <= UInt64(data.count - index) else { return nil }
        let end = index + Int(value)
        found.append(Field(number: tag >> 3, bytes: Array(data[index..<end])))
        index = end
      }
    }
    return found
  }
}

/// A response frame, read.
public struct WireAnswer: Equatable, Sendable {
  /// Its stream.
  public var stream: UInt32
  /// OK where the status is left out.
  public var code: StatusCode
  /// Of the status.
  public var message = ""
  /// Type URLs of the status's details.
  public var details: [String] = []
  /// The response message.
  public var payload: [UInt8] = []

  /// Of an answer that went well.
  public init(stream: UInt32 = 1, payload: [UInt8] = []) {
    self.stream = stream
    code = .ok
    self.payload = payload
  }

  /// Reads a frame's data. `nil`: it is no answer.
  public init?(stream: UInt32, data: [UInt8]) {
    guard let fields = Wire.fields(data) else { return nil }
    self.init(stream: stream)
    for field in fields {
      if field.number == 2 { payload = field.bytes }
      guard field.number == 1 else { continue }
      guard let status = Wire.fields(field.bytes) else { return nil }
      for field in status {
        if field.number == 1 {
          guard let code = StatusCode(rawValue: Int32(field.integer)) else { return nil }
          self.code = code
        }
        if field.number == 2 { message = String(decoding: field.bytes, as: UTF8.self) }
        if field.number == 3 {
          guard let url = Wire.fields(field.bytes)?.first else { return nil }
          details.append(String(decoding: url.bytes, as: UTF8.self))
        }
      }
    }
  }

  /// Takes the whole response frames from the front of `bytes`. `nil`: one is no response.
  public static func take(from bytes: inout [UInt8]) -> [WireAnswer]? {
    var answers: [WireAnswer] = []
    var index = 0
    while bytes.count - index >= 10 {
      let length = bytes[index..<index + 4].reduce(0) { $0 << 8 | Int($1) }
      let stream = bytes[index + 4..<index + 8].reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
      guard bytes[index + 8] == 2, bytes[index + 9] == 0, length <= 4 << 20 else { return nil }
      guard bytes.count - index - 10 >= length else { break }
      let data = Array(bytes[index + 10..<index + 10 + length])
      guard let answer = WireAnswer(stream: stream, data: data) else { return nil }
      answers.append(answer)
      index += 10 + length
    }
    bytes.removeFirst(index)
    return answers
  }
}
