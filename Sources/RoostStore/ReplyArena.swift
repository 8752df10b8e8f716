#if canImport(Glibc)
  import Glibc
#endif

/// Memory for what one call answers with. Confined to one thread; one per event loop is enough.
///
/// 1. What `allocate` returned stays valid until `reset`.
/// 2. `chargedBytes <= budgetBytes` after each successful `charge`.
public final class ReplyArena {
  /// What the encoded answer may take, in bytes.
  public var budgetBytes: Int
  /// What the answer takes so far, as charged.
  public private(set) var chargedBytes = 0
  /// The newest revision of what the answer shows, absences and failures included: an engine
  /// with a log says so, and the answer waits until that is as durable as its policy asks for.
  public private(set) var shownRevision: Int64 = 0
  /// Of the call's own write; 0: it wrote nothing.
  public private(set) var writtenRevision: Int64 = 0
  /// How durable that is to be before it is acknowledged.
  public private(set) var writtenDurability = WriteDurability.engineDefault
  /// Whether the answer is that of an earlier call with the same idempotency key.
  public private(set) var isReplayed = false

  private let block: UnsafeMutableRawPointer
  private let blockBytes: Int
  private var usedBytes = 0
  private var overflow: [UnsafeMutableRawPointer] = []

  public init(budgetBytes: Int, blockBytes: Int = 64 << 10) {
    self.budgetBytes = budgetBytes
    self.blockBytes = blockBytes
    block = .allocate(byteCount: blockBytes, alignment: 64)
  }

  deinit {
    for memory in overflow { free(memory) }
    block.deallocate()
  }

  /// Frees everything. What was borrowed from here is dangling from now on.
  @inline(__always) public func reset() {
    usedBytes = 0
    chargedBytes = 0
    shownRevision = 0
    writtenRevision = 0
    isReplayed = false
    if !overflow.isEmpty { freeOverflow() }
  }

  @inline(never) private func freeOverflow() {
    for memory in overflow { free(memory) }
    overflow.removeAll(keepingCapacity: true)
  }

  /// Notes that the answer shows what was so at a revision.
  @inline(__always) func show(_ revision: Int64) {
    if revision > shownRevision { shownRevision = revision }
  }

  /// Notes the call's own write.
  @inline(__always) func note(written revision: Int64, _ durability: WriteDurability) {
    writtenRevision = revision
    writtenDurability = durability
  }

  /// Notes that the answer is an earlier call's.
  func noteReplayed() { isReplayed = true }

  /// Counts `bytes` of the encoded answer against the budget.
  @inline(__always) public func charge(_ bytes: Int) throws(StoreError) {
    if !tryCharge(bytes) {
      throw .replyTooLarge(bytes: chargedBytes + bytes, limit: budgetBytes)
    }
  }

  /// As `charge`, but says `false` where it does not fit.
  @inline(__always) public func tryCharge(_ bytes: Int) -> Bool {
    if chargedBytes &+ bytes > budgetBytes { return false }
    chargedBytes &+= bytes
    return true
  }

  /// Memory that is aligned to 16 bytes.
  @inline(__always) public func allocate(_ bytes: Int) -> UnsafeMutableRawPointer {
    let offset = (usedBytes &+ 15) & ~15
    if offset &+ bytes <= blockBytes {
      usedBytes = offset &+ bytes
      return block + offset
    }
    return allocateOverflow(bytes)
  }

  @inline(never) private func allocateOverflow(_ bytes: Int) -> UnsafeMutableRawPointer {
    guard let memory = malloc(bytes) else { fatalError("out of memory: \(bytes) bytes") }
    overflow.append(memory)
    return memory
  }

  /// A copy that stays until `reset`.
  @inline(__always) public func copy(_ bytes: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
    guard let source = bytes.baseAddress, bytes.count > 0 else {
      return UnsafeRawBufferPointer(start: nil, count: 0)
    }
    let target = allocate(bytes.count)
    target.copyMemory(from: source, byteCount: bytes.count)
    return UnsafeRawBufferPointer(start: target, count: bytes.count)
  }
}
