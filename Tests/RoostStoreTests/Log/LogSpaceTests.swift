import Glibc
import Synchronization
import Testing

@testable import RoostStore

@Suite("A disk that takes no more", .serialized) struct LogSpaceTests {
  @Test(
    "On a full disk writes are refused, reads and deletions go on, and it recovers by itself",
    .enabled(if: SmallDisk.isAllowed, "a file system cannot be mounted here"))
  func full() throws {
    let disk = try SmallDisk(bytes: 3 << 20)
    let ballast = [UInt8](repeating: 1, count: 1 << 20)
    try disk.folder.write(ballast, to: "ballast")
    let store = try LogStore(disk.folder) { $0.policy = .interval }
    let value = StoreValue.bytes(Bytes(repeating: 7, count: 20_000))
    var count = 0
    var refusal: StoreError?
    while refusal == nil, count < 1_000 {
      do throws(StoreError) {
        try store.set(Bytes("key \(count)"), value)
        store.durability.endOfTick(waitsFor: 0, isIdle: true)
        count += 1
      } catch {
        refusal = error
      }
    }
    guard case .unavailable(let reason)? = refusal else {
      Issue.record("\(String(describing: refusal)) after \(count) writes")
      return
    }
    #expect(reason.contains("full"))
    #expect(count > 20, "what there was room for was written")
    #expect(try store.value("key 0") == value)
    let before = try store.state()
    for number in 0..<count / 2 { #expect(try store.delete(Bytes("key \(number)")).deleted) }
    #expect(try store.transact(then: [.delete(Bytes("key \(count - 1)"))]).succeeded)
    store.durability.sync()
    #expect(store.durability.durableRevision == store.revision)
    // Nothing of the refused write is there, and what was deleted is, after a crash too.
    let expected = try store.state()
    #expect(expected.count == before.count - count / 2 - 1)
    let copy = try disk.folder.copy()
    try copy.folder.remove("ballast")
    #expect(try LogStore(copy).state() == expected)
    // Room again: the log's thread finds it.
    try disk.folder.folder.remove("ballast")
    var isTaken = false
    let deadline = monotonicNanos() + 20_000_000_000
    while !isTaken, monotonicNanos() < deadline {
      store.writer.retry()
      isTaken = (try? store.set("new", value)) != nil
    }
    #expect(isTaken)
  }

  @Test("A write that fails is repeated whole, and nothing is acknowledged or taken before")
  func failingWrites() async {
    await #expect(processExitsWith: .success) {
      try FailingWrites.run()
      exit(0)
    }
  }
}

/// A write behind what the process may write to a file: in a process of its own.
private enum FailingWrites {
  static func run() throws {
    signal(SIGXFSZ, SIG_IGN)
    let folder = try TemporaryFolder()
    let events = Mutex<[String]>([])
    let store = try LogStore(folder) {
      $0.policy = .never
      $0.onEvent = { event in
        switch event {
        case .writesRefused: events.withLock { $0.append("refused") }
        case .writesTaken: events.withLock { $0.append("taken") }
        default: break
        }
      }
    }
    try store.set("a", 1)
    try store.set("list", ["x", "y"])
    store.durability.sync()
    let segment = try folder.segments[0]
    let before = try folder.read(segment)
    // The next records fit in part.
    limitFiles(to: UInt(before.count + 30))
    let revision = try store.set("b", .bytes(Bytes(repeating: 1, count: 500))).revision
    store.durability.endOfTick(waitsFor: revision, isIdle: true)
    try check(store.durability.openRevision < revision, "open before it is written")
    try check(store.durability.trouble != nil, "no trouble")
    try check(folder.read(segment) == before, "a part of a record is left")
    let calls: [(LogStore) throws -> Void] = [
      { try $0.set("c", 1) }, { try $0.delete("a") }, { try $0.pop("list") },
      { try $0.deleteRange(.all) }, { try $0.transact(then: [.delete("a")]) },
      { try $0.transact(then: [.pop("list"), .get("a")]) }, { try $0.touch("a", expires: .never) },
    ]
    for (index, call) in calls.enumerated() {
      do {
        try call(store)
        try check(false, "call \(index) is taken")
      } catch StoreError.unavailable {}
    }
    try check(store.value("a") == 1 && store.items("list") == ["x", "y"], "reads")
    try check(FoundStore(folder, now: ManualStoreClock().wallMillis).state.count == 2, "on disk")
    limitFiles(to: UInt.max)
    store.writer.retry()
    try check(store.durability.trouble == nil, "still in trouble")
    try check(store.durability.openRevision >= revision, "not written")
    try store.delete("a")
    store.durability.sync()
    let found = try FoundStore(folder, now: ManualStoreClock().wallMillis)
    try check(found.state.map(\.key) == ["b", "list"] && found.outcome.report.cut == nil, "after")
    try check(events.withLock { $0 } == ["refused", "taken"], "events")
  }

  private static func limitFiles(to bytes: UInt) {
    var limit = rlimit(rlim_cur: bytes, rlim_max: UInt.max)
    setrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &limit)
  }

  private struct Fault: Error { let what: String }

  private static func check(_ holds: Bool, _ what: String) throws {
    if !holds { throw Fault(what: what) }
  }
}

/// A file system of a few bytes in memory; unmounted at the end of its life.
final class SmallDisk {
  let folder: TemporaryFolder

  static let isAllowed: Bool = (try? SmallDisk(bytes: 1 << 20)) != nil

  private struct NotAllowed: Error { let code: Int32 }

  init(bytes: Int) throws {
    let place = try TemporaryFolder()
    guard mount("none", place.path, "tmpfs", 0, "size=\(bytes)") == 0 else {
      throw NotAllowed(code: errno)
    }
    folder = try TemporaryFolder(at: place)
  }

  deinit { umount2(folder.path, Int32(MNT_DETACH)) }
}
