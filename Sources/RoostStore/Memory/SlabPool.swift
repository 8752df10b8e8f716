import CLinux
import Glibc
import Synchronization

/// The slabs of all shards of an engine that no shard uses, and the memory that they come from.
/// Safe to use from any thread; its lock is the innermost.
///
/// 1. Slabs begin at multiples of `slabBytes`. What was mapped stays mapped until the pool goes.
/// 2. `ready` slabs are in memory; `empty` ones take none until they are touched. More than
///    `maxReady` are not kept ready.
/// 3. A store that has grown gets its slabs from huge pages: random reads over ordinary ones
///    spend much of their time on looking addresses up. The kernel takes a tenth of a
///    millisecond to clear one, or longer to find it, so `refill` asks for them, on a thread
///    where that holds nothing up. They are advised away again once they are there: the kernel
///    must not fill what `give` hands back.
///
/// `@unchecked Sendable`: `mutex` guards all that changes.
final class SlabPool: @unchecked Sendable {
  static let slabBytes = 64 << 10
  private static let hugePageBytes = 2 << 20
  private static let slabsPerHugePage = hugePageBytes / slabBytes
  private static let maxReady = 32
  private static let minReady = 16
  /// Slabs of ordinary pages come in so many.
  private static let slabsPerPlainRegion = 8
  /// In use, before huge pages are worth while: 8 MiB.
  private static let slabsBeforeHugePages = 128

  /// Blocks of malloc's that were released, in bytes, before it is made to give them back.
  private static let trimBytes = 64 << 20

  private struct Region {
    let address: UnsafeMutableRawPointer
    let bytes: Int
  }

  private let mutex: UnsafeMutablePointer<pthread_mutex_t>
  private var ready: [UnsafeMutableRawPointer] = []
  private var empty: [UnsafeMutableRawPointer] = []
  private var regions: [Region] = []
  private var usedCount = 0
  private var onLow: (@Sendable () -> Void)?
  private let releasedLargeBytes = Atomic(0)

  init() {
    mutex = .allocate(capacity: 1)
    mutex.initialize(to: pthread_mutex_t())
    pthread_mutex_init(mutex, nil)
    clinux_tune_malloc()
  }

  deinit {
    for region in regions { munmap(region.address, region.bytes) }
    pthread_mutex_destroy(mutex)
    mutex.deallocate()
  }

  /// How much is mapped.
  var mappedBytes: Int { withLock { regions.reduce(0) { $0 + $1.bytes } } }

  /// Whether `refill` should be called.
  var isLow: Bool { withLock { isLowWithLock } }

  /// Says what to do when the pool becomes low; it is called on any thread, and must be quick.
  func whenLow(_ body: (@Sendable () -> Void)?) { withLock { onLow = body } }

  /// A slab. Its bytes may be anything.
  func take() -> UnsafeMutableRawPointer {
    pthread_mutex_lock(mutex)
    let wasLow = isLowWithLock
    if ready.isEmpty, empty.isEmpty { addPlainRegion() }
    guard let slab = ready.popLast() ?? empty.popLast() else { preconditionFailure("no slab") }
    usedCount &+= 1
    let call = !wasLow && isLowWithLock ? onLow : nil
    pthread_mutex_unlock(mutex)
    call?()
    return slab
  }

  /// Takes a slab back.
  func give(_ slab: UnsafeMutableRawPointer) {
    withLock {
      usedCount &-= 1
      if ready.count < Self.maxReady { return ready.append(slab) }
      madvise(slab, Self.slabBytes, MADV_DONTNEED)
      empty.append(slab)
    }
  }

  /// Adds slabs in huge pages until the pool is not low. May take milliseconds.
  func refill() {
    while isLow {
      let page = Self.map(Self.hugePageBytes, alignment: Self.hugePageBytes)
      madvise(page, Self.hugePageBytes, MADV_HUGEPAGE)
      page.storeBytes(of: 0, as: UInt8.self)
      madvise(page, Self.hugePageBytes, MADV_NOHUGEPAGE)
      withLock {
        regions.append(Region(address: page, bytes: Self.hugePageBytes))
        ready += Self.slabs(in: page, Self.slabsPerHugePage)
      }
    }
  }

  /// Counts a block of malloc's that was released.
  func noteLargeRelease(bytes: Int) { releasedLargeBytes.add(bytes, ordering: .relaxed) }

  /// Makes malloc give back what it holds for nothing, where that may be much. May take
  /// milliseconds.
  func trimLarge() {
    guard releasedLargeBytes.load(ordering: .relaxed) >= Self.trimBytes else { return }
    releasedLargeBytes.store(0, ordering: .relaxed)
    clinux_trim_malloc()
  }

  private var isLowWithLock: Bool {
    usedCount >= Self.slabsBeforeHugePages && ready.count < Self.minReady
      && empty.count < Self.slabsPerPlainRegion
  }

  private func addPlainRegion() {
    let bytes = Self.slabsPerPlainRegion &* Self.slabBytes
    let memory = Self.map(bytes, alignment: Self.slabBytes)
    madvise(memory, bytes, MADV_NOHUGEPAGE)
    regions.append(Region(address: memory, bytes: bytes))
    empty += Self.slabs(in: memory, Self.slabsPerPlainRegion)
  }

  private static func slabs(
    in region: UnsafeMutableRawPointer, _ count: Int
  ) -> [UnsafeMutableRawPointer] {
    (0..<count).map { region + (count &- 1 &- $0) &* slabBytes }
  }

  private static func map(_ bytes: Int, alignment: Int) -> UnsafeMutableRawPointer {
    let mapped = mmap(
      nil, bytes &+ alignment, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
    guard let mapped, mapped != MAP_FAILED else { fatalError("out of memory: \(bytes) bytes") }
    let before = (0 &- Int(bitPattern: mapped)) & (alignment &- 1)
    let aligned = mapped + before
    if before > 0 { munmap(mapped, before) }
    if before < alignment { munmap(aligned + bytes, alignment &- before) }
    return aligned
  }

  private func withLock<Result>(_ body: () -> Result) -> Result {
    pthread_mutex_lock(mutex)
    defer { pthread_mutex_unlock(mutex) }
    return body()
  }
}
