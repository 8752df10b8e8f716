/// Where a machine writes what is to be sent.
public protocol ByteSink {
  /// Copies the bytes to the end.
  mutating func append(_ bytes: UnsafeRawBufferPointer)
}

extension [UInt8]: ByteSink {
  /// Copies the bytes to the end.
  public mutating func append(_ bytes: UnsafeRawBufferPointer) {
    append(contentsOf: bytes)
  }
}

/// A call in the envelope's encoding (`ttrpc.Request`), but for its timeout, which is known only
/// when it is sent. Made on the caller's task, so that an event loop only copies it.
public struct OutgoingRequest: Sendable {
  let body: [UInt8]

  /// What the timeout takes at most: its tag, and the ten bytes of the longest varint.
  private static let maxTimeoutBytes = 11

  /// - Throws: `resourceExhausted` where it does not fit a frame.
  public init(
    method: MethodDescriptor, payload: [UInt8], metadata: Metadata
  ) throws(RPCError) {
    let entries = metadata.pairs.map {
      Field.size($0.key.utf8.count) + Field.size($0.value.utf8.count)
    }
    let byteCount =
      Field.size(method.service.utf8.count) + Field.size(method.name.utf8.count)
      + Field.size(payload.count) + entries.reduce(0) { $0 + Field.sizeOfMessage($1) }
    guard byteCount + Self.maxTimeoutBytes <= FrameHeader.maxDataBytes else {
      throw RPCError(
        .resourceExhausted,
        "the request of \(method.name) takes \(byteCount) bytes; a frame holds"
          + " \(FrameHeader.maxDataBytes - Self.maxTimeoutBytes)")
    }
    body = [UInt8](unsafeUninitializedCapacity: byteCount) { buffer, count in
      var writer = FieldWriter(UnsafeMutableRawBufferPointer(buffer))
      writer.write(method.service, field: 1)
      writer.write(method.name, field: 2)
      payload.withUnsafeBytes { writer.write($0, field: 3) }
      for (pair, size) in zip(metadata.pairs, entries) {
        writer.writeTag(field: 5, byteCount: size)
        writer.write(pair.key, field: 1)
        writer.write(pair.value, field: 2)
      }
      count = writer.byteCount
      assert(count == byteCount)
    }
  }

  /// Of the encoded call, without header and timeout.
  public var byteCount: Int { body.count }

  /// Writes the request frame.
  /// - Parameter timeoutNanos: what is left of the deadline, at least 1; `nil`: there is none.
  func write(streamID: UInt32, timeoutNanos: Int64?, into sink: inout some ByteSink) {
    // Fields may come in any order, so the timeout goes last.
    withUnsafeTemporaryAllocation(byteCount: Self.maxTimeoutBytes, alignment: 1) { scratch in
      var timeout = FieldWriter(scratch)
      if let timeoutNanos { timeout.writeInteger(timeoutNanos, field: 4) }
      withUnsafeTemporaryAllocation(byteCount: FrameHeader.byteCount, alignment: 1) { header in
        FrameHeader(
          dataByteCount: body.count + timeout.byteCount, streamID: streamID, kind: .request
        ).encode(into: header)
        sink.append(UnsafeRawBufferPointer(header))
      }
      body.withUnsafeBytes { sink.append($0) }
      if timeout.byteCount > 0 {
        sink.append(UnsafeRawBufferPointer(rebasing: scratch[..<timeout.byteCount]))
      }
    }
  }
}

/// Sizes in protobuf's encoding of a length-delimited field whose number is below 16.
private enum Field {
  static func varintSize(_ value: Int) -> Int {
    value == 0 ? 1 : (Int.bitWidth - value.leadingZeroBitCount + 6) / 7
  }
  /// An empty `bytes` or `string` is left out.
  static func size(_ byteCount: Int) -> Int { byteCount == 0 ? 0 : sizeOfMessage(byteCount) }
  static func sizeOfMessage(_ byteCount: Int) -> Int { 1 + varintSize(byteCount) + byteCount }
}

/// Writes protobuf fields whose numbers are below 16 into memory that is large enough.
private struct FieldWriter {
  private let buffer: UnsafeMutableRawBufferPointer
  private(set) var byteCount = 0

  init(_ buffer: UnsafeMutableRawBufferPointer) { self.buffer = buffer }

  private mutating func writeVarint(_ value: UInt64) {
    var rest = value
    while rest >= 0x80 {
      buffer[byteCount] = UInt8(truncatingIfNeeded: rest) | 0x80
      byteCount += 1
      rest >>= 7
    }
    buffer[byteCount] = UInt8(rest)
    byteCount += 1
  }

  mutating func writeTag(field: UInt8, byteCount count: Int) {
    writeVarint(UInt64(field << 3 | 2))
    writeVarint(UInt64(count))
  }

  mutating func writeInteger(_ value: Int64, field: UInt8) {
    writeVarint(UInt64(field << 3))
    writeVarint(UInt64(bitPattern: value))
  }

  mutating func write(_ bytes: UnsafeRawBufferPointer, field: UInt8) {
    guard !bytes.isEmpty else { return }
    writeTag(field: field, byteCount: bytes.count)
    UnsafeMutableRawBufferPointer(rebasing: buffer[byteCount...]).copyMemory(from: bytes)
    byteCount += bytes.count
  }

  mutating func write(_ string: String, field: UInt8) {
    var string = string
    string.withUTF8 { write(UnsafeRawBufferPointer($0), field: field) }
  }
}
