import CProtobufC
import CRoostProtos
import RoostStore

/// An answer as libprotobuf-c's structures, which live in a `ReplyArena` and borrow from it, with
/// a bound of its encoded size.
struct ReplyMessage {
  /// A bound of every message's fields outside of its entries, items and texts.
  static let fixedBytes = 64
  /// A bound of an entry's fields beside key and value bytes: six integers, a flag, and the
  /// headers of key, value, value kind and of the entry itself.
  static let entryBytes = 104
  /// A bound of an item's header.
  static let itemBytes = 6

  let message: UnsafePointer<ProtobufCMessage>
  /// At least the encoded size, in bytes.
  let maxBytes: Int

  @inline(__always)
  init<CMessage>(_ message: UnsafeMutablePointer<CMessage>, maxBytes: Int) {
    self.message = UnsafeRawPointer(message).assumingMemoryBound(to: ProtobufCMessage.self)
    self.maxBytes = maxBytes
  }

  /// The bytes of a message that is made in an arena of its own, for answers that are given beside
  /// the loops. The arena lives until the message is encoded, which only borrows from it.
  static func encoded(_ make: (ReplyArena) -> ReplyMessage) -> [UInt8] {
    let arena = ReplyArena(budgetBytes: .max, blockBytes: 1 << 10)
    return withExtendedLifetime(arena) { make(arena).encoded() }
  }

  /// The encoded message. What it borrows from must be alive.
  func encoded() -> [UInt8] {
    [UInt8](unsafeUninitializedCapacity: protobuf_c_message_get_packed_size(message)) {
      buffer, count in
      guard let base = buffer.baseAddress else { return }
      count = protobuf_c_message_pack(message, base)
    }
  }
}

extension ReplyArena {
  /// A message with every field at its default.
  @inline(__always)
  func make<CMessage>(
    _ initialize: (UnsafeMutablePointer<CMessage>) -> Void
  ) -> UnsafeMutablePointer<CMessage> {
    let message = allocate(MemoryLayout<CMessage>.size)
      .bindMemory(to: CMessage.self, capacity: 1)
    initialize(message)
    return message
  }

  @inline(__always)
  func makeArray<Element>(of type: Element.Type, count: Int) -> UnsafeMutablePointer<Element> {
    allocate(MemoryLayout<Element>.stride * max(count, 1))
      .bindMemory(to: type, capacity: count)
  }
}

extension EntryRef {
  /// The entry as a message, which borrows from this one.
  @inline(__always)
  func message(in reply: ReplyArena) -> UnsafeMutablePointer<Roost__V1__Entry> {
    let entry = reply.make(roost__v1__entry__init)
    entry.pointee.key = ProtobufCBinaryData(key)
    if let value { entry.pointee.value = value.message(in: reply) }
    entry.pointee.revision = revision
    entry.pointee.create_revision = createRevision
    entry.pointee.version = version
    entry.pointee.created_at_ms = createdAtMillis
    entry.pointee.updated_at_ms = updatedAtMillis
    entry.pointee.expires_at_ms = expiresAtMillis
    entry.pointee.value_omitted = valueOmitted ? 1 : 0
    return entry
  }

  /// At least the encoded size, in bytes, with a header.
  @inline(__always) var maxEncodedBytes: Int {
    ReplyMessage.entryBytes + key.count + (value?.maxEncodedBytes ?? 0)
  }
}

extension ValueRef {
  @inline(__always)
  func message(in reply: ReplyArena) -> UnsafeMutablePointer<Roost__V1__Value> {
    let message = reply.make(roost__v1__value__init)
    switch self {
    case .bytes(let bytes):
      message.pointee.kind_case = ROOST__V1__VALUE__KIND_BYTES_VALUE
      message.pointee.bytes_value = ProtobufCBinaryData(bytes)
    case .text(let bytes):
      message.pointee.kind_case = ROOST__V1__VALUE__KIND_TEXT_VALUE
      message.pointee.text_value = ProtobufCBinaryData(bytes)
    case .int(let value):
      message.pointee.kind_case = ROOST__V1__VALUE__KIND_INT_VALUE
      message.pointee.int_value = value
    case .double(let value):
      message.pointee.kind_case = ROOST__V1__VALUE__KIND_DOUBLE_VALUE
      message.pointee.double_value = value
    case .bool(let value):
      message.pointee.kind_case = ROOST__V1__VALUE__KIND_BOOL_VALUE
      message.pointee.bool_value = value ? 1 : 0
    case .list(let items):
      message.pointee.kind_case = ROOST__V1__VALUE__KIND_LIST_VALUE
      message.pointee.list_value = listMessage(items, in: reply)
    }
    return message
  }

  @inline(never)
  private func listMessage(
    _ items: UnsafeBufferPointer<ByteSlice>, in reply: ReplyArena
  ) -> UnsafeMutablePointer<Roost__V1__ListValue> {
    let list = reply.make(roost__v1__list_value__init)
    list.pointee.n_items = items.count
    list.pointee.items = items.unsafeBinaryData
    return list
  }

  /// At least the encoded size of the kind's payload, in bytes.
  @inline(__always) var maxEncodedBytes: Int {
    switch self {
    case .bytes(let bytes), .text(let bytes): bytes.count
    case .int, .double, .bool: 10
    case .list(let items): items.maxEncodedBytes + ReplyMessage.itemBytes
    }
  }
}

extension UnsafeBufferPointer<ByteSlice> {
  /// At least the encoded size of the items as a repeated field, in bytes.
  var maxEncodedBytes: Int {
    var bytes = count &* ReplyMessage.itemBytes
    for item in self { bytes &+= item.count }
    return bytes
  }

  /// The items as libprotobuf-c's array, in place; it is only read.
  var unsafeBinaryData: UnsafeMutablePointer<ProtobufCBinaryData>? {
    UnsafeMutableRawPointer(mutating: baseAddress)?
      .assumingMemoryBound(to: ProtobufCBinaryData.self)
  }
}

extension ProtobufCBinaryData {
  /// Borrows the bytes; libprotobuf-c only reads them.
  @inline(__always) init(_ bytes: UnsafeRawBufferPointer) {
    self.init(
      len: bytes.count,
      data: UnsafeMutableRawPointer(mutating: bytes.baseAddress)?
        .assumingMemoryBound(to: UInt8.self))
  }
}
