import CLinux
import Glibc

/// One key with its value and history, in one allocation. A bare pointer: who holds it does
/// not keep it alive, the shard that owns it does.
///
/// 1. Layout, little-endian: revision u64; revision of creation u64; created u48, key bytes
///    u16; updated u48, kind u8, size class u8; deadline u48, version's high u16; version's
///    low u32, payload bytes u32; the key; the payload.
/// 2. The payload is the bytes of a bytes or text value, an Int64, a Double, one byte of a
///    Bool, or the address of a list, unaligned.
/// 3. Times are Unix milliseconds, the deadline engine time; deadline 0: never.
struct Record: Equatable {
  static let headerBytes = 48
  private static let low48: UInt64 = (1 << 48) - 1

  let address: UnsafeMutableRawPointer

  @inline(__always) init(_ address: UnsafeMutableRawPointer) { self.address = address }

  /// Allocates a record and writes its key. The rest is not initialized.
  @inline(__always)
  static func allocate(
    key: UnsafeRawBufferPointer, payloadBytes: Int, _ heap: inout SlabHeap
  ) -> Record {
    precondition(key.count > 0 && key.count <= Int(UInt16.max), "a key of \(key.count) bytes")
    let bytes = headerBytes &+ key.count &+ payloadBytes
    let sizeClass = SlabHeap.sizeClass(bytes)
    let record = Record(
      sizeClass == 0 ? heap.allocateLarge(bytes) : heap.allocate(sizeClass: sizeClass))
    if let base = key.baseAddress { memcpy(record.address + headerBytes, base, key.count) }
    record.address.storeBytes(
      of: UInt64(truncatingIfNeeded: key.count) << 48, toByteOffset: 16, as: UInt64.self)
    record.address.storeBytes(
      of: UInt64(sizeClass) << 56, toByteOffset: 24, as: UInt64.self)
    record.address.storeBytes(of: 0, toByteOffset: 32, as: UInt64.self)
    record.payloadBytes = payloadBytes
    return record
  }

  func release(_ heap: inout SlabHeap) {
    if sizeClass == 0 { heap.releaseLarge(address) } else { heap.releaseSlot(address) }
  }

  /// Whether `bytes` of payload may replace the payload where it is: they fit, and do not
  /// leave more than half of the allocation unused.
  @inline(__always) func holdsInPlace(payloadBytes bytes: Int) -> Bool {
    if bytes == payloadBytes { return true }
    let capacity = sizeClass == 0 ? clinux_usable_size(address) : SlabHeap.slotBytes(sizeClass)
    let needed = Self.headerBytes &+ keyCount &+ bytes
    return needed <= capacity && capacity &- needed <= capacity >> 1
  }

  // MARK: Fields

  var revision: Int64 {
    @inline(__always) get { address.load(as: Int64.self) }
    @inline(__always) nonmutating set { address.storeBytes(of: newValue, as: Int64.self) }
  }

  var createRevision: Int64 {
    @inline(__always) get { address.load(fromByteOffset: 8, as: Int64.self) }
    @inline(__always) nonmutating set {
      address.storeBytes(of: newValue, toByteOffset: 8, as: Int64.self)
    }
  }

  var createdMillis: Int64 {
    @inline(__always) get { low48(16) }
    @inline(__always) nonmutating set { setLow48(16, newValue) }
  }

  var updatedMillis: Int64 {
    @inline(__always) get { low48(24) }
    @inline(__always) nonmutating set { setLow48(24, newValue) }
  }

  /// Engine time; 0: never.
  var deadline: Int64 {
    @inline(__always) get { low48(32) }
    @inline(__always) nonmutating set { setLow48(32, newValue) }
  }

  @inline(__always) var keyCount: Int {
    Int(address.load(fromByteOffset: 22, as: UInt16.self))
  }

  var kind: ValueKind {
    @inline(__always) get {
      ValueKind(rawValue: address.load(fromByteOffset: 30, as: UInt8.self)).unsafelyUnwrapped
    }
    @inline(__always) nonmutating set {
      address.storeBytes(of: newValue.rawValue, toByteOffset: 30, as: UInt8.self)
    }
  }

  @inline(__always) private var sizeClass: UInt8 {
    address.load(fromByteOffset: 31, as: UInt8.self)
  }

  /// 48 bits: at a million changes a second it lasts for nine years.
  var version: Int64 {
    @inline(__always) get {
      Int64(address.load(fromByteOffset: 38, as: UInt16.self)) << 32
        | Int64(address.load(fromByteOffset: 40, as: UInt32.self))
    }
    @inline(__always) nonmutating set {
      address.storeBytes(
        of: UInt16(truncatingIfNeeded: newValue >> 32), toByteOffset: 38, as: UInt16.self)
      address.storeBytes(
        of: UInt32(truncatingIfNeeded: newValue), toByteOffset: 40, as: UInt32.self)
    }
  }

  var payloadBytes: Int {
    @inline(__always) get { Int(address.load(fromByteOffset: 44, as: UInt32.self)) }
    @inline(__always) nonmutating set {
      address.storeBytes(
        of: UInt32(truncatingIfNeeded: newValue), toByteOffset: 44, as: UInt32.self)
    }
  }

  @inline(__always) private func low48(_ offset: Int) -> Int64 {
    Int64(
      truncatingIfNeeded: address.load(fromByteOffset: offset, as: UInt64.self) & Self.low48)
  }

  @inline(__always) private func setLow48(_ offset: Int, _ value: Int64) {
    let high = address.load(fromByteOffset: offset, as: UInt64.self) & ~Self.low48
    address.storeBytes(
      of: high | UInt64(truncatingIfNeeded: value) & Self.low48, toByteOffset: offset,
      as: UInt64.self)
  }

  // MARK: Key and payload

  @inline(__always) var key: UnsafeRawBufferPointer {
    UnsafeRawBufferPointer(start: address + Self.headerBytes, count: keyCount)
  }

  @inline(__always) func hasKey(_ key: UnsafeRawBufferPointer) -> Bool {
    keyCount == key.count
      && ByteOrder.equal(
        address + Self.headerBytes, key.baseAddress.unsafelyUnwrapped, key.count)
  }

  @inline(__always) var payload: UnsafeMutableRawPointer {
    address + Self.headerBytes + keyCount
  }

  @inline(__always) var payloadBuffer: UnsafeRawBufferPointer {
    UnsafeRawBufferPointer(start: payload, count: payloadBytes)
  }

  @inline(__always) var isList: Bool { kind == .list }

  /// Only where the kind is `.int`.
  var int: Int64 {
    @inline(__always) get { payload.loadUnaligned(as: Int64.self) }
    nonmutating set { payload.storeBytes(of: newValue, as: Int64.self) }
  }

  /// Only where the kind is `.list`.
  var list: ItemList {
    @inline(__always) get {
      ItemList(
        UnsafeMutableRawPointer(bitPattern: payload.loadUnaligned(as: UInt.self))
          .unsafelyUnwrapped)
    }
    nonmutating set { payload.storeBytes(of: UInt(bitPattern: newValue.address), as: UInt.self) }
  }

  /// The value in place, borrowed; `nil` for a list.
  @inline(__always) var scalarOrNil: ValueRef? {
    switch kind {
    case .bytes: .bytes(payloadBuffer)
    case .text: .text(payloadBuffer)
    case .int: .int(int)
    case .double: .double(Double(bitPattern: payload.loadUnaligned(as: UInt64.self)))
    case .bool: .bool(payload.load(as: UInt8.self) != 0)
    case .list: nil
    }
  }

  /// What a value takes as a payload.
  @inline(__always) static func payloadBytes(of value: ValueRef) -> Int {
    switch value {
    case .bytes(let bytes), .text(let bytes): bytes.count
    case .int, .double, .list: 8
    case .bool: 1
    }
  }

  /// Writes kind and payload of anything but a list. `payloadBytes(of:)` must have fit.
  @inline(__always) func writeScalar(_ value: ValueRef) {
    let target = payload
    switch value {
    case .bytes(let bytes), .text(let bytes):
      payloadBytes = bytes.count
      if let base = bytes.baseAddress { memcpy(target, base, bytes.count) }
    case .int(let int):
      payloadBytes = 8
      target.storeBytes(of: int, as: Int64.self)
    case .double(let double):
      payloadBytes = 8
      target.storeBytes(of: double.bitPattern, as: UInt64.self)
    case .bool(let bool):
      payloadBytes = 1
      target.storeBytes(of: bool ? 1 : 0, as: UInt8.self)
    case .list: preconditionFailure("a list is no scalar")
    }
    kind = value.kind
  }

  /// Whether the value is this one: the same kind and the same bytes, so that a NaN equals
  /// itself and 0.0 differs from -0.0.
  func hasValue(_ value: ValueRef) -> Bool {
    guard kind == value.kind else { return false }
    switch value {
    case .bytes(let bytes), .text(let bytes):
      return ByteOrder.compare(payloadBuffer, bytes) == 0
    case .int(let other): return int == other
    case .double(let other): return payload.loadUnaligned(as: UInt64.self) == other.bitPattern
    case .bool(let other): return (payload.load(as: UInt8.self) != 0) == other
    case .list(let items): return list.equals(items)
    }
  }
}
