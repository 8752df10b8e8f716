import Glibc

// How changes become the bodies of records.
extension Change {
  var kind: LogFormat.Kind {
    switch self {
    case .create, .put: .put
    case .touch: .touch
    case .push: .push
    case .pop: .pop
    case .delete: .delete
    case .expire: .expire
    }
  }

  /// What the body takes, exactly, in bytes.
  @inline(__always) var bodyBytes: Int {
    switch self {
    case .create(let record), .put(let record): record.imageBytes
    case .delete(let record), .expire(let record): 10 &+ record.keyCount
    case .touch(let record), .pop(let record, count: _, side: _):
      LogFormat.changeHeaderBytes &+ record.keyCount
    case .push(let record, let items, side: _, trimmed: _):
      LogFormat.changeHeaderBytes &+ record.keyCount &+ ItemCoding.bytes(items)
    }
  }

  /// Writes the body.
  /// - Parameters:
  ///   - target: has room for `bodyBytes`.
  ///   - revision: of the change. Where the record takes it, it has it afterwards.
  ///   - stepMillis: what makes a deadline a wall-clock time.
  @inline(__always)
  func writeBody(
    unsafe target: UnsafeMutableRawPointer, revision: Int64, stepMillis: Int64
  ) {
    switch self {
    case .create(let record):
      record.revision = revision
      record.createRevision = revision
      record.writeImage(unsafe: target, stepMillis: stepMillis)
    case .put(let record):
      record.revision = revision
      record.writeImage(unsafe: target, stepMillis: stepMillis)
    default: writeOther(target, revision, stepMillis)
    }
  }

  @inline(never)
  private func writeOther(
    _ target: UnsafeMutableRawPointer, _ revision: Int64, _ stepMillis: Int64
  ) {
    switch self {
    case .create, .put: preconditionFailure("written as an image")
    case .delete(let record), .expire(let record):
      target.storeBytes(of: revision, as: Int64.self)
      target.storeBytes(of: UInt16(record.keyCount), toByteOffset: 8, as: UInt16.self)
      memcpy(target + 10, record.address + Record.headerBytes, record.keyCount)
    case .touch(let record):
      record.writeChange(target, revision, stepMillis, side: .back, items: 0, trimmed: 0)
    case .push(let record, let items, let side, let trimmed):
      record.writeChange(
        target, revision, stepMillis, side: side, items: items.count, trimmed: trimmed)
      ItemCoding.write(items, target + LogFormat.changeHeaderBytes + record.keyCount)
    case .pop(let record, let count, let side):
      record.writeChange(target, revision, stepMillis, side: side, items: count, trimmed: 0)
    }
  }
}

extension KeyRangeRef {
  /// What the body of the range's end takes, in bytes.
  var deletionBytes: Int { 14 + prefix.count + start.count + end.count }

  /// Writes the body of the range's end.
  /// - Parameter target: has room for `deletionBytes`.
  func writeDeletion(unsafe target: UnsafeMutableRawPointer, revision: Int64) {
    target.storeBytes(of: revision, as: Int64.self)
    var position = target + 14
    for (index, bound) in [prefix, start, end].enumerated() {
      target.storeBytes(of: UInt16(bound.count), toByteOffset: 8 + 2 * index, as: UInt16.self)
      if let base = bound.baseAddress { memcpy(position, base, bound.count) }
      position += bound.count
    }
  }
}

extension Record {
  /// What the record's image takes, in bytes.
  @inline(__always) var imageBytes: Int {
    let fixed = LogFormat.imageHeaderBytes &+ keyCount
    return isList ? fixed &+ listImageBytes : fixed &+ payloadBytes
  }

  /// A list's items with their lengths and number.
  private var listImageBytes: Int { 4 &+ 4 &* list.count &+ list.itemBytes }

  /// Writes the record's image: itself, but for a list's items, the expiry as wall-clock time, and
  /// what is of this process alone.
  @inline(__always)
  func writeImage(unsafe target: UnsafeMutableRawPointer, stepMillis: Int64) {
    memcpy(target, address, Record.headerBytes &+ keyCount &+ (isList ? 0 : payloadBytes))
    finishHeader(target, stepMillis)
    if isList { writeItems(target) }
  }

  /// Puts into a copied header what an image has instead.
  @inline(__always)
  private func finishHeader(_ target: UnsafeMutableRawPointer, _ stepMillis: Int64) {
    target.storeBytes(of: 0, toByteOffset: 31, as: UInt8.self)
    let deadline = deadline
    if deadline != 0 {
      // Not aligned, and beside the version's high bits.
      let word = UInt64(truncatingIfNeeded: version >> 32) << 48
      let expiry = UInt64(truncatingIfNeeded: deadline &+ stepMillis) & (1 << 48 - 1)
      target.storeBytes(of: word | expiry, toByteOffset: 32, as: UInt64.self)
    }
  }

  /// What a list's image takes before its items.
  var listHeaderBytes: Int { LogFormat.imageHeaderBytes + keyCount + 4 }

  /// Writes a list's image but for the items, which are to follow.
  func writeListHeader(unsafe target: UnsafeMutableRawPointer, stepMillis: Int64) {
    memcpy(target, address, Record.headerBytes &+ keyCount)
    finishHeader(target, stepMillis)
    target.storeBytes(of: UInt32(listImageBytes), toByteOffset: 44, as: UInt32.self)
    target.storeBytes(
      of: UInt32(list.count), toByteOffset: Record.headerBytes + keyCount, as: UInt32.self)
  }

  @inline(never)
  private func writeItems(_ image: UnsafeMutableRawPointer) {
    image.storeBytes(of: UInt32(listImageBytes), toByteOffset: 44, as: UInt32.self)
    var target = image + Record.headerBytes + keyCount
    target.storeBytes(of: UInt32(list.count), as: UInt32.self)
    target += 4
    var walk = list.walk(from: 0)
    while let item = walk.next() { ItemCoding.write(item, &target) }
  }

  fileprivate func writeChange(
    _ target: UnsafeMutableRawPointer, _ newRevision: Int64, _ stepMillis: Int64,
    side: ListSide, items: Int, trimmed: Int
  ) {
    typealias Offset = LogFormat.ChangeOffset
    target.storeBytes(of: newRevision, toByteOffset: Offset.revision, as: Int64.self)
    target.storeBytes(of: revision, toByteOffset: Offset.base, as: Int64.self)
    target.storeBytes(of: version, toByteOffset: Offset.version, as: Int64.self)
    target.storeBytes(of: updatedMillis, toByteOffset: Offset.updated, as: Int64.self)
    let expires = deadline == 0 ? 0 : deadline &+ stepMillis
    target.storeBytes(of: expires, toByteOffset: Offset.expires, as: Int64.self)
    target.storeBytes(of: UInt16(keyCount), toByteOffset: Offset.keyBytes, as: UInt16.self)
    target.storeBytes(of: side.rawValue, toByteOffset: Offset.side, as: UInt8.self)
    target.storeBytes(of: 0, toByteOffset: Offset.side + 1, as: UInt8.self)
    target.storeBytes(of: UInt32(items), toByteOffset: Offset.itemCount, as: UInt32.self)
    target.storeBytes(of: UInt32(trimmed), toByteOffset: Offset.trimCount, as: UInt32.self)
    memcpy(target + LogFormat.changeHeaderBytes, address + Record.headerBytes, keyCount)
    revision = newRevision
  }
}

/// Items one behind the other, each its length u32 and its bytes.
enum ItemCoding {
  static func bytes(_ items: UnsafeBufferPointer<ByteSlice>) -> Int {
    var bytes = 4 &* items.count
    for item in items { bytes &+= item.count }
    return bytes
  }

  static func write(
    _ items: UnsafeBufferPointer<ByteSlice>, _ target: UnsafeMutableRawPointer
  ) {
    var target = target
    for item in items { write(item.bytes, &target) }
  }

  @inline(__always)
  static func write(_ item: UnsafeRawBufferPointer, _ target: inout UnsafeMutableRawPointer) {
    target.storeBytes(of: UInt32(item.count), as: UInt32.self)
    if let base = item.baseAddress { memcpy(target + 4, base, item.count) }
    target += 4 &+ item.count
  }
}
