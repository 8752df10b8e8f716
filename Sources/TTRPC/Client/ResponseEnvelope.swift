import CProtobufC
import CTTRPCProtos
import ProtobufC

/// Reads the data of response frames (`ttrpc.Response`). Confined to one thread, as its arena is.
struct ResponseEnvelope {
  private let arena = Arena(blockBytes: 16 << 10, retainedBytes: 64 << 10)

  /// The message, or the status that the call ended with; `internal` where the data is no
  /// response, `resourceExhausted` where decoding it would take too much memory.
  func decode(_ data: UnsafeRawBufferPointer) -> Result<[UInt8], RPCError> {
    defer { arena.reset() }
    arena.beginCall()
    let start = data.baseAddress?.assumingMemoryBound(to: UInt8.self)
    guard let response = ttrpc__response__unpack(arena.allocator, data.count, start) else {
      return .failure(
        arena.exceededBudget
          ? RPCError(.resourceExhausted, "the answer takes too much memory to decode")
          : RPCError(.internal, "the server's answer is malformed (\(data.count) bytes)"))
    }
    if let status = response.pointee.status, status.pointee.code != StatusCode.ok.rawValue {
      return .failure(RPCError(status.pointee))
    }
    return .success([UInt8](response.pointee.payload.bytes))
  }
}

extension RPCError {
  /// A number that no status code has becomes `unknown`; invalid UTF-8 is repaired.
  fileprivate init(_ status: Google__Rpc__Status) {
    let details = UnsafeBufferPointer(start: status.details, count: status.n_details)
    self.init(
      StatusCode(rawValue: status.code) ?? .unknown,
      String(decoding: status.message.bytes, as: UTF8.self),
      details: details.compactMap { $0?.pointee }.map { any in
        StatusDetail(
          typeURL: String(decoding: any.type_url.bytes, as: UTF8.self),
          value: [UInt8](any.value.bytes))
      })
  }
}
