import CProtobufC
import CRoostProtos
import ProtobufC
import RoostStore
import TTRPC

/// What the handlers of one event loop share. Confined to the loop's thread.
///
/// 1. `arena` holds decoded requests and commands until the tick ends.
/// 2. `reply` holds one call's answer, from the engine's call until it is encoded.
final class StoreScope {
  let engine: EngineHandle
  private let engineOwner: EngineHandle.Owner
  let arena: Arena
  let limits: RequestLimits
  let reply: ReplyArena

  init(engine: any StorageEngine, arena: Arena, limits: RequestLimits) {
    // Lists pass between messages and the store without a copy: both have one layout.
    precondition(MemoryLayout<ByteSlice>.size == MemoryLayout<ProtobufCBinaryData>.size)
    precondition(
      MemoryLayout<ByteSlice>.offset(of: \.count)
        == MemoryLayout<ProtobufCBinaryData>.offset(of: \.len))
    precondition(
      MemoryLayout<ByteSlice>.offset(of: \.base)
        == MemoryLayout<ProtobufCBinaryData>.offset(of: \.data))
    engineOwner = EngineHandle.Owner(engine)
    self.engine = EngineHandle(unowned: engineOwner)
    self.arena = arena
    self.limits = limits
    reply = ReplyArena(budgetBytes: 0)
  }

  /// The request as libprotobuf-c's structure, in `arena`.
  @inline(__always)
  func decode<CMessage>(
    _ payload: UnsafeRawBufferPointer, _ descriptor: UnsafePointer<ProtobufCMessageDescriptor>,
    as type: CMessage.Type
  ) throws(RequestError) -> UnsafePointer<CMessage> {
    let data = payload.baseAddress?.assumingMemoryBound(to: UInt8.self)
    guard
      let message = protobuf_c_message_unpack(descriptor, arena.allocator, payload.count, data)
    else {
      throw arena.exceededBudget ? .decodingTooLarge(limit: arena.budgetBytes) : .malformed
    }
    return UnsafeRawPointer(message).assumingMemoryBound(to: type)
  }

  /// Uninitialised memory in `arena`, on the account of the call.
  @inline(__always)
  func allocate<T>(
    _ type: T.Type, count: Int = 1
  ) throws(RequestError) -> UnsafeMutablePointer<T> {
    guard let memory = arena.allocate(MemoryLayout<T>.stride * max(count, 1)) else {
      throw .decodingTooLarge(limit: arena.budgetBytes)
    }
    return memory.bindMemory(to: type, capacity: count)
  }

  /// Lends the reply arena, empty, for an answer that must fit `response`, without counting a
  /// reference.
  @inline(__always)
  func withReply(
    _ response: inout ResponseWriter, _ body: (ReplyArena, inout ResponseWriter) -> Void
  ) {
    Unmanaged.passUnretained(reply)._withUnsafeGuaranteedRef { reply in
      reply.reset()
      reply.budgetBytes = response.maxMessageBytes - ReplyMessage.fixedBytes
      body(reply, &response)
    }
  }

  /// The reply arena, empty, for an answer that must fit `response`.
  func beginReply(_ response: borrowing ResponseWriter) -> ReplyArena {
    reply.reset()
    reply.budgetBytes = response.maxMessageBytes - ReplyMessage.fixedBytes
    return reply
  }
}

extension ProtobufCBinaryData {
  /// The bytes, borrowed.
  @inline(__always) var bytes: UnsafeRawBufferPointer {
    UnsafeRawBufferPointer(start: data, count: len)
  }
}
