/// Encodes the response frame that says how a call failed: `ttrpc.Response` with nothing but a
/// `google.rpc.Status`.
enum StatusFrame {
  /// A longer message is cut; more would only fill frames.
  static let maxMessageBytes = 8 << 10
  /// Larger details are left out.
  static let maxDetailBytes = 64 << 10
  /// More of them are left out.
  static let maxDetailCount = 16

  @inline(never)
  static func append(_ error: RPCError, streamID: UInt32, to output: inout OutputBuffer) {
    let details = error.details.lazy
      .filter { $0.value.count + $0.typeURL.utf8.count <= maxDetailBytes }
      .prefix(maxDetailCount)
    let message = cut(error.message)
    var status = fieldBytes(message.utf8.count) + 1 + varintBytes(code(error))
    for detail in details { status += fieldBytes(anyBytes(detail)) }
    let dataBytes = 1 + varintBytes(UInt64(status)) + status
    let frame = output.reserve(FrameHeader.byteCount + dataBytes)
    FrameHeader(dataByteCount: dataBytes, streamID: streamID, kind: .response)
      .encode(unsafe: frame)
    var writer = FieldWriter(at: frame + FrameHeader.byteCount)
    writer.beginBytes(1, count: status)
    writer.integer(1, code(error))
    writer.string(2, message)
    for detail in details {
      writer.beginBytes(3, count: anyBytes(detail))
      writer.string(1, detail.typeURL)
      writer.beginBytes(2, count: detail.value.count)
      detail.value.withUnsafeBytes { writer.raw($0) }
    }
    output.advance(FrameHeader.byteCount + dataBytes)
  }

  /// At most `maxMessageBytes` of the text, whole characters.
  private static func cut(_ text: String) -> Substring {
    guard text.utf8.count > maxMessageBytes else { return text[...] }
    var end = text.utf8.index(text.startIndex, offsetBy: maxMessageBytes)
    while end.samePosition(in: text.unicodeScalars) == nil { text.utf8.formIndex(before: &end) }
    return text[..<end]
  }

  /// A status that is OK would read as an answer.
  private static func code(_ error: RPCError) -> UInt64 {
    UInt64((error.code == .ok ? StatusCode.unknown : error.code).rawValue)
  }

  private static func anyBytes(_ detail: StatusDetail) -> Int {
    fieldBytes(detail.typeURL.utf8.count) + fieldBytes(detail.value.count)
  }

  /// Of a field whose number is under 16, with `count` bytes.
  private static func fieldBytes(_ count: Int) -> Int { 1 + varintBytes(UInt64(count)) + count }

  static func varintBytes(_ value: UInt64) -> Int {
    max(1, (70 - value.leadingZeroBitCount) / 7)
  }
}

/// Writes fields to memory whose size was computed before.
private struct FieldWriter {
  private var at: UnsafeMutableRawPointer

  init(at memory: UnsafeMutableRawPointer) { at = memory }

  mutating func varint(_ value: UInt64) {
    var rest = value
    while rest >= 0x80 {
      at.storeBytes(of: UInt8(truncatingIfNeeded: rest) | 0x80, as: UInt8.self)
      at += 1
      rest >>= 7
    }
    at.storeBytes(of: UInt8(rest), as: UInt8.self)
    at += 1
  }

  mutating func integer(_ field: UInt64, _ value: UInt64) {
    varint(field << 3)
    varint(value)
  }

  mutating func beginBytes(_ field: UInt64, count: Int) {
    varint(field << 3 | 2)
    varint(UInt64(count))
  }

  mutating func string(_ field: UInt64, _ text: some StringProtocol) {
    beginBytes(field, count: text.utf8.count)
    var text = Substring(text)
    text.withUTF8 { raw(UnsafeRawBufferPointer($0)) }
  }

  mutating func raw(_ bytes: UnsafeRawBufferPointer) {
    guard let base = bytes.baseAddress else { return }
    at.copyMemory(from: base, byteCount: bytes.count)
    at += bytes.count
  }
}
