/// One method of a loop's dispatcher. The loop's ticks refer to it without counting references;
/// the `MethodTable` keeps it alive.
final class RegisteredMethod {
  let descriptor: MethodDescriptor
  private let handler: any InlineHandler
  let service: UnsafeRawBufferPointer
  let name: UnsafeRawBufferPointer
  /// Service and name as the first two fields of a `ttrpc.Request`, the way that every known
  /// client encodes them; empty where a name has 128 bytes or more.
  let envelopePrefix: UnsafeRawBufferPointer

  init(_ descriptor: MethodDescriptor, _ handler: any InlineHandler) {
    self.descriptor = descriptor
    self.handler = handler
    let service = Array(descriptor.service.utf8)
    let name = Array(descriptor.name.utf8)
    self.service = Self.copy(service)
    self.name = Self.copy(name)
    if service.count < 128 && name.count < 128 {
      envelopePrefix = Self.copy(
        [0x0a, UInt8(service.count)] + service + [0x12, UInt8(name.count)] + name)
    } else {
      envelopePrefix = Self.copy([])
    }
  }

  deinit {
    service.deallocate()
    name.deallocate()
    envelopePrefix.deallocate()
  }

  private static func copy(_ bytes: [UInt8]) -> UnsafeRawBufferPointer {
    let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: bytes.count, alignment: 8)
    copy.copyBytes(from: bytes)
    return UnsafeRawBufferPointer(copy)
  }

  // Never inlined: a constant of an object that the caller keeps alive is called without counting
  // references; where the object is unmanaged, the compiler does not know that it is.

  @inline(never)
  func prepare(_ call: UnsafeMutablePointer<InlineCall>) { handler.prepare(&call.pointee) }

  @inline(never)
  func prefetch(_ call: UnsafeMutablePointer<InlineCall>) { handler.prefetch(&call.pointee) }

  @inline(never)
  func execute(_ call: UnsafeMutablePointer<InlineCall>, _ writer: inout ResponseWriter) {
    handler.execute(&call.pointee, &writer)
  }
}

/// Stands for methods whose kind of call is not served.
final class NotServedHandler: InlineHandler {
  func prepare(_ call: inout InlineCall) { call.refuse(.notServed) }
  func execute(_ call: inout InlineCall, _ response: inout ResponseWriter) {
    response.fail(.notServed)
  }
}

/// Finds methods by the bytes of their names. Immutable; open addressing, at most half full.
final class MethodTable {
  private let slots: UnsafeMutablePointer<Unmanaged<RegisteredMethod>?>
  private let mask: Int
  private let services: Set<String>

  init(_ methods: [RegisteredMethod]) {
    var capacity = 16
    while capacity < methods.count * 2 { capacity *= 2 }
    mask = capacity - 1
    slots = .allocate(capacity: capacity)
    slots.initialize(repeating: nil, count: capacity)
    services = Set(methods.map(\.descriptor.service))
    for method in methods {
      var index = Self.hash(method.service, method.name) & mask
      while slots[index] != nil { index = (index + 1) & mask }
      slots[index] = .passRetained(method)
    }
  }

  deinit {
    for index in 0...mask { slots[index]?.release() }
    slots.deallocate()
  }

  func find(
    _ service: UnsafeRawBufferPointer, _ name: UnsafeRawBufferPointer
  ) -> Unmanaged<RegisteredMethod>? {
    var index = Self.hash(service, name) & mask
    while let slot = slots[index] {
      let isSame = slot._withUnsafeGuaranteedRef {
        $0.name.isSame(as: name) && $0.service.isSame(as: service)
      }
      if isSame { return slot }
      index = (index &+ 1) & mask
    }
    return nil
  }

  func hasService(_ service: UnsafeRawBufferPointer) -> Bool {
    services.contains(String(decoding: service, as: UTF8.self))
  }

  /// FNV-1a. Who sends names that collide only makes their own lookups a few probes longer: the
  /// table holds no names of theirs.
  private static func hash(
    _ service: UnsafeRawBufferPointer, _ name: UnsafeRawBufferPointer
  ) -> Int {
    var hash: UInt64 = 0xcbf2_9ce4_8422_2325
    for byte in name { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
    for byte in service { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
    return Int(truncatingIfNeeded: hash &>> 20)
  }
}
