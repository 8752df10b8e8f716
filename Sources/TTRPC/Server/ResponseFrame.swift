/// Encodes the response frame of a call that went well: `ttrpc.Response` with only a payload.
enum ResponseFrame {
  /// Field 2 of `ttrpc.Response`, bytes.
  private static let payloadTag: UInt8 = 2 << 3 | 2

  /// Writes an encoded message, which a frame must hold.
  static func append(
    _ message: UnsafeRawBufferPointer, streamID: UInt32, to output: inout OutputBuffer
  ) {
    let start = FrameHeader.byteCount + 1 + lengthBytes(message.count)
    let frame = output.reserve(start + message.count)
    if let source = message.baseAddress {
      (frame + start).copyMemory(from: source, byteCount: message.count)
    }
    finish(
      frame, streamID, payloadBytes: message.count,
      reservedLengthBytes: lengthBytes(message.count), &output)
  }

  /// Writes the header and the envelope before a payload that is in place, and moves it where its
  /// length takes fewer bytes than were reserved. An empty payload is left out.
  @inline(__always)
  static func finish(
    _ frame: UnsafeMutableRawPointer, _ streamID: UInt32, payloadBytes: Int,
    reservedLengthBytes: Int, _ output: inout OutputBuffer
  ) {
    let start = FrameHeader.byteCount
    var dataBytes = 0
    if payloadBytes > 0 {
      let lengthBytes = lengthBytes(payloadBytes)
      if lengthBytes != reservedLengthBytes {
        (frame + (start &+ 1 &+ lengthBytes))
          .copyMemory(from: frame + (start &+ 1 &+ reservedLengthBytes), byteCount: payloadBytes)
      }
      frame.storeBytes(of: payloadTag, toByteOffset: start, as: UInt8.self)
      writeVarint(payloadBytes, to: frame + (start &+ 1))
      dataBytes = 1 &+ lengthBytes &+ payloadBytes
    }
    FrameHeader(dataByteCount: dataBytes, streamID: streamID, kind: .response)
      .encode(unsafe: frame)
    output.advance(start &+ dataBytes)
  }

  @inline(__always)
  private static func writeVarint(_ value: Int, to memory: UnsafeMutableRawPointer) {
    var rest = value
    var at = 0
    while rest >= 0x80 {
      memory.storeBytes(
        of: UInt8(truncatingIfNeeded: rest) | 0x80, toByteOffset: at, as: UInt8.self)
      rest &>>= 7
      at &+= 1
    }
    memory.storeBytes(of: UInt8(truncatingIfNeeded: rest), toByteOffset: at, as: UInt8.self)
  }

  /// How many bytes the length of a message takes that fits a frame.
  @inline(__always)
  static func lengthBytes(_ count: Int) -> Int {
    count < 1 << 7 ? 1 : count < 1 << 14 ? 2 : count < 1 << 21 ? 3 : 4
  }
}
