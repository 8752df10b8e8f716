import TTRPC

/// The envelope, written and read without the library: what a peer sees on the wire.
enum Wire {
  struct Request: Sendable {
    var streamID: UInt32 = 0
    var service = ""
    var method = ""
    var payload: [UInt8] = []
    var timeoutNanos: Int64 = 0
    var metadata: [(key: String, value: String)] = []
  }

  static func frame(
    _ data: [UInt8], streamID: UInt32, type: UInt8 = 2, flags: UInt8 = 0, length: Int? = nil
  ) -> [UInt8] {
    bigEndian(UInt32(length ?? data.count)) + bigEndian(streamID) + [type, flags] + data
  }

  static func response(_ payload: [UInt8], streamID: UInt32) -> [UInt8] {
    frame(field(2, payload), streamID: streamID)
  }

  static func status(
    _ code: Int32, _ message: String, streamID: UInt32, details: [(String, [UInt8])] = []
  ) -> [UInt8] {
    var status = varintField(1, UInt64(bitPattern: Int64(code))) + field(2, Array(message.utf8))
    for (typeURL, value) in details {
      status += field(3, field(1, Array(typeURL.utf8)) + field(2, value))
    }
    return frame(field(1, status), streamID: streamID)
  }

  static func field(_ number: UInt64, _ bytes: [UInt8]) -> [UInt8] {
    varint(number << 3 | 2) + varint(UInt64(bytes.count)) + bytes
  }

  static func varintField(_ number: UInt64, _ value: UInt64) -> [UInt8] {
    varint(number << 3) + varint(value)
  }

  static func varint(_ value: UInt64) -> [UInt8] {
    var bytes: [UInt8] = []
    var rest = value
    while rest >= 0x80 {
      bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
      rest >>= 7
    }
    return bytes + [UInt8(rest)]
  }

  private static func bigEndian(_ value: UInt32) -> [UInt8] {
    withUnsafeBytes(of: value.bigEndian, Array.init)
  }

  /// Takes whole request frames off the front of `bytes`.
  static func takeRequests(_ bytes: inout [UInt8]) -> [Request] {
    var requests: [Request] = []
    while bytes.count >= 10 {
      let length = bytes[0..<4].reduce(0) { $0 << 8 | Int($1) }
      guard bytes.count >= 10 + length else { break }
      var request = decodeRequest(Array(bytes[10..<10 + length]))
      request.streamID = bytes[4..<8].reduce(0) { $0 << 8 | UInt32($1) }
      requests.append(request)
      bytes.removeFirst(10 + length)
    }
    return requests
  }

  static func decodeRequest(_ data: [UInt8]) -> Request {
    var request = Request()
    for (number, value) in fields(data) {
      switch (number, value) {
      case (1, .bytes(let bytes)): request.service = String(decoding: bytes, as: UTF8.self)
      case (2, .bytes(let bytes)): request.method = String(decoding: bytes, as: UTF8.self)
      case (3, .bytes(let bytes)): request.payload = bytes
      case (4, .varint(let value)): request.timeoutNanos = Int64(bitPattern: value)
      case (5, .bytes(let bytes)):
        var pair = (key: "", value: "")
        for case (let number, .bytes(let text)) in fields(bytes) {
          if number == 1 { pair.key = String(decoding: text, as: UTF8.self) }
          if number == 2 { pair.value = String(decoding: text, as: UTF8.self) }
        }
        request.metadata.append(pair)
      default: break
      }
    }
    return request
  }

  enum Value {
    case varint(UInt64)
    case bytes([UInt8])
  }

  static func fields(_ data: [UInt8]) -> [(UInt64, Value)] {
    var fields: [(UInt64, Value)] = []
    var index = 0
    func varint() -> UInt64 {
      var value: UInt64 = 0
      var shift: UInt64 = 0
      while index < data.count {
        let byte = data[index]
        index += 1
        value |= UInt64(byte & 0x7f) << shift
        shift += 7
        if byte & 0x80 == 0 { break }
      }
      return value
    }
    while index < data.count {
      let tag = varint()
      if tag & 7 == 0 {
        fields.append((tag >> 3, .varint(varint())))
      } else {
        let count = Int(varint())
        fields.append((tag >> 3, .bytes(Array(data[index..<index + count]))))
        index += count
      }
    }
    return fields
  }
}
