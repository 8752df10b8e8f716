import CProtobufC
import CRoostProtos
import Glibc
import ProtobufC
import RoostStore

// How the parts of requests become the store's commands; each part is checked on the way. What
// is read borrows from the arena.
extension StoreScope {
  /// A key with its hash.
  @inline(__always)
  func readKey(_ data: ProtobufCBinaryData) throws(RequestError) -> KeyRef {
    let bytes = data.bytes
    if bytes.count == 0 { throw .emptyKey }
    if bytes.count > limits.maxKeyBytes {
      throw .keyTooLong(bytes: bytes.count, limit: limits.maxKeyBytes)
    }
    return KeyRef(bytes, hash: engine.hash(bytes))
  }

  @inline(__always)
  func readValue(
    _ value: UnsafePointer<Roost__V1__Value>?
  ) throws(RequestError) -> ValueRef {
    guard let value else { throw .missingValue }
    switch value.pointee.kind_case {
    case ROOST__V1__VALUE__KIND_BYTES_VALUE:
      return .bytes(try readItem(value.pointee.bytes_value))
    case ROOST__V1__VALUE__KIND_TEXT_VALUE:
      let bytes = try readItem(value.pointee.text_value)
      if !MessageStrings.isValidUTF8(bytes) { throw .textNotUTF8 }
      return .text(bytes)
    case ROOST__V1__VALUE__KIND_INT_VALUE: return .int(value.pointee.int_value)
    case ROOST__V1__VALUE__KIND_DOUBLE_VALUE: return .double(value.pointee.double_value)
    case ROOST__V1__VALUE__KIND_BOOL_VALUE: return .bool(value.pointee.bool_value != 0)
    case ROOST__V1__VALUE__KIND_LIST_VALUE:
      guard let list = value.pointee.list_value else { throw .missingValue }
      return .list(try readItems(list.pointee.items, count: list.pointee.n_items))
    default: throw .unknownValueKind
    }
  }

  @inline(__always)
  private func readItem(_ data: ProtobufCBinaryData) throws(RequestError) -> UnsafeRawBufferPointer
  {
    if data.len > limits.maxValueBytes {
      throw .valueTooLong(bytes: data.len, limit: limits.maxValueBytes)
    }
    return data.bytes
  }

  /// The items as the store takes them, in place.
  func readItems(
    _ items: UnsafeMutablePointer<ProtobufCBinaryData>?, count: Int
  ) throws(RequestError) -> UnsafeBufferPointer<ByteSlice> {
    guard let items, count > 0 else { return UnsafeBufferPointer(start: nil, count: 0) }
    for index in 0..<count where items[index].len > limits.maxValueBytes {
      throw .valueTooLong(bytes: items[index].len, limit: limits.maxValueBytes)
    }
    return UnsafeBufferPointer(
      start: UnsafeRawPointer(items).assumingMemoryBound(to: ByteSlice.self), count: count)
  }

  /// - Parameter absent: what a request without an expiration means.
  @inline(__always)
  func readExpiration(
    _ expiration: UnsafePointer<Roost__V1__Expiration>?, absent: ExpirationRef
  ) throws(RequestError) -> ExpirationRef {
    guard let expiration else { return absent }
    return try readPresentExpiration(expiration)
  }

  private func readPresentExpiration(
    _ expiration: UnsafePointer<Roost__V1__Expiration>
  ) throws(RequestError) -> ExpirationRef {
    switch expiration.pointee.kind_case {
    case ROOST__V1__EXPIRATION__KIND_TTL_MS:
      let millis = expiration.pointee.ttl_ms
      if millis < 1 || millis > RequestLimits.maxTTLMillis { throw .ttlOutOfRange(millis: millis) }
      return .afterMillis(millis)
    case ROOST__V1__EXPIRATION__KIND_AT_MS:
      let millis = expiration.pointee.at_ms
      if millis > wallClockMillis() + RequestLimits.maxTTLMillis {
        throw .endTooFar(millis: millis)
      }
      return .atMillis(millis)
    case ROOST__V1__EXPIRATION__KIND_KEEP:
      if expiration.pointee.keep == 0 { throw .keepFalse }
      return .keep
    default: throw .unknownExpirationKind
    }
  }

  @inline(__always)
  func readCondition(
    _ condition: UnsafePointer<Roost__V1__Condition>?
  ) throws(RequestError) -> ConditionRef {
    guard let condition else { return .none }
    return try readPresentCondition(condition)
  }

  func readPresentCondition(
    _ condition: UnsafePointer<Roost__V1__Condition>
  ) throws(RequestError) -> ConditionRef {
    switch condition.pointee.kind_case {
    case ROOST__V1__CONDITION__KIND_EXISTS: return .exists(condition.pointee.exists != 0)
    case ROOST__V1__CONDITION__KIND_REVISION:
      let revision = condition.pointee.revision
      if revision < 1 { throw .conditionRevision(revision) }
      return .revision(revision)
    case ROOST__V1__CONDITION__KIND_VALUE: return .value(try readValue(condition.pointee.value))
    default: throw .unknownConditionKind
    }
  }

  @inline(__always)
  func readOptions(
    _ options: UnsafePointer<Roost__V1__WriteOptions>?
  ) throws(RequestError) -> WriteFlags {
    guard let options else { return WriteFlags() }
    return try readPresentOptions(options)
  }

  private func readPresentOptions(
    _ options: UnsafePointer<Roost__V1__WriteOptions>
  ) throws(RequestError) -> WriteFlags {
    var flags = WriteFlags()
    flags.ticket = try readTicket(options.pointee.idempotency_key.bytes)
    flags.returnPrevious = options.pointee.return_previous != 0
    switch options.pointee.durability {
    case ROOST__V1__DURABILITY__DURABILITY_UNSPECIFIED: flags.durability = .engineDefault
    case ROOST__V1__DURABILITY__DURABILITY_MEMORY: flags.durability = .memory
    case ROOST__V1__DURABILITY__DURABILITY_LOGGED: flags.durability = .logged
    case ROOST__V1__DURABILITY__DURABILITY_SYNCED: flags.durability = .synced
    default: throw .unknownDurability(Int64(options.pointee.durability.rawValue))
    }
    return flags
  }

  /// A ticket that is to be filled in once the call is allowed; `nil` for an empty key.
  private func readTicket(
    _ key: UnsafeRawBufferPointer
  ) throws(RequestError) -> UnsafePointer<AnswerTicket>? {
    if key.isEmpty { return nil }
    if key.count > AnswerTicket.maxKeyBytes {
      throw .idempotencyKeyTooLong(bytes: key.count, limit: AnswerTicket.maxKeyBytes)
    }
    let ticket = try allocate(AnswerTicket.self)
    ticket.initialize(to: AnswerTicket(key: key))
    return UnsafePointer(ticket)
  }

  func readListEnd(_ end: Roost__V1__ListEnd) throws(RequestError) -> ListSide {
    switch end {
    case ROOST__V1__LIST_END__LIST_END_UNSPECIFIED, ROOST__V1__LIST_END__LIST_END_BACK: .back
    case ROOST__V1__LIST_END__LIST_END_FRONT: .front
    default: throw .unknownListEnd(Int64(Int32(bitPattern: end.rawValue)))
    }
  }

  /// A range; a missing one means every key.
  func readRange(
    _ range: UnsafePointer<Roost__V1__KeyRange>?
  ) throws(RequestError) -> KeyRangeRef {
    guard let range else { return KeyRangeRef() }
    let prefix = range.pointee.prefix.bytes
    let start = range.pointee.start.bytes
    let end = range.pointee.end.bytes
    // A bound may be one byte longer than a key: the successor of the longest one.
    try checkBound(prefix, "prefix", limit: limits.maxKeyBytes)
    try checkBound(start, "start", limit: limits.maxKeyBytes + 1)
    try checkBound(end, "end", limit: limits.maxKeyBytes + 1)
    if start.isEmpty && end.isEmpty { return KeyRangeRef(prefix: prefix) }
    if !prefix.isEmpty { throw .rangeWithPrefixAndBounds }
    if !end.isEmpty && isOrdered(end, before: start) { throw .rangeReversed }
    return KeyRangeRef(start: start, end: end)
  }

  private func checkBound(
    _ bytes: UnsafeRawBufferPointer, _ field: StaticString, limit: Int
  ) throws(RequestError) {
    if bytes.count > limit {
      throw .rangeBoundTooLong(field, bytes: bytes.count, limit: limit)
    }
  }

  private func isOrdered(
    _ left: UnsafeRawBufferPointer, before right: UnsafeRawBufferPointer
  ) -> Bool {
    guard let leftBase = left.baseAddress, let rightBase = right.baseAddress else {
      return left.count < right.count
    }
    let order = memcmp(leftBase, rightBase, min(left.count, right.count))
    return order == 0 ? left.count < right.count : order < 0
  }

  /// Unix time, to the precision of a kernel tick.
  private func wallClockMillis() -> Int64 {
    var now = timespec()
    clock_gettime(CLOCK_REALTIME_COARSE, &now)
    return Int64(now.tv_sec) * 1000 + Int64(now.tv_nsec) / 1_000_000
  }
}
