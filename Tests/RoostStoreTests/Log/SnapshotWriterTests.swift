import Glibc
import Synchronization
import Testing

@testable import RoostStore

@Suite("The writer of a snapshot") struct SnapshotWriterTests {
  private let image = SnapshotImage(bytes: [UInt8](repeating: 3, count: 100_000))

  @Test("Until it is published there is snap.tmp alone, then the snapshot alone")
  func publish() throws {
    let home = try TemporaryFolder()
    try home.write([1, 2, 3], to: "snap.tmp")
    let writer = try SnapshotWriter(in: home.folder, sampleHeader, bytesPerSecond: 0)
    for _ in 0..<9 { try writer.append(image) }
    #expect(try home.folder.names() == ["snap.tmp"])
    _ = try writer.finishSample()
    #expect(try home.folder.names() == ["snap.tmp"])
    #expect(home.refusal("snap.tmp") == nil)
    let (name, fileBytes) = try writer.publish()
    #expect(try home.folder.names() == [name])
    #expect(try home.read(name).count == Int(fileBytes))
    writer.abandon()
    #expect(home.refusal(name) == nil)
  }

  @Test("Abandoned at any step, or forgotten, it leaves nothing", arguments: 0..<5)
  func abandon(step: Int) throws {
    let home = try TemporaryFolder()
    do {
      let writer = try SnapshotWriter(in: home.folder, sampleHeader, bytesPerSecond: 0)
      if step > 0 { for _ in 0..<9 { try writer.append(image) } }
      if step > 1 { _ = try writer.finishSample() }
      if step < 3 {
        writer.abandon()
        writer.abandon()
        #expect(throws: LogError.self) { try writer.append(image) }
      }
    }
    #expect(try home.folder.names() == [])
  }

  @Test("A stop ends the work at the next block, with nothing left behind")
  func stop() throws {
    let home = try TemporaryFolder()
    let flag = Flag()
    let writer = try SnapshotWriter(
      in: home.folder, sampleHeader, bytesPerSecond: 0, shouldStop: { flag.isSet })
    for _ in 0..<3 { try writer.append(image) }
    flag.set()
    #expect(throws: LogError.notPossible("stopping")) {
      for _ in 0..<3 { try writer.append(image) }
    }
    #expect(throws: LogError.notPossible("stopping")) { _ = try writer.finishSample() }
    #expect(throws: LogError.notPossible("stopping")) { _ = try writer.publish() }
    writer.abandon()
    #expect(try home.folder.names() == [])
  }

  @Test("A stop ends a wait for the rate")
  func stopWhileWaiting() throws {
    let home = try TemporaryFolder()
    let flag = Flag(afterAsked: 2)
    let writer = try SnapshotWriter(
      in: home.folder, sampleHeader, bytesPerSecond: 1, shouldStop: { flag.isSet })
    // At a byte a second this would last for days.
    #expect(throws: LogError.notPossible("stopping")) {
      for _ in 0..<3 { try writer.append(image) }
    }
  }

  @Test("A file that changes behind its back is noticed when it is read back")
  func readBack() throws {
    let home = try TemporaryFolder()
    let writer = try SnapshotWriter(in: home.folder, sampleHeader, bytesPerSecond: 0)
    for _ in 0..<9 { try writer.append(image) }
    let file = try DataFile(home.folder, "snap.tmp", flags: O_WRONLY)
    try file.write([0xff], at: 90)
    #expect(throws: LogError.self) { _ = try writer.finishSample() }
    #expect(throws: LogError.self) { _ = try writer.publish() }
    writer.abandon()
    #expect(try home.folder.names() == [])
  }

  @Test("What the system refuses is thrown, and leaves no file")
  func refused() throws {
    let home = try TemporaryFolder()
    let name = SnapshotFormat.name(startSequence: sampleHeader.startSequence)
    try #require(mkdirat(home.folder.descriptor, name, 0o700) == 0)
    let writer = try SnapshotWriter(in: home.folder, sampleHeader, bytesPerSecond: 0)
    _ = try writer.finishSample()
    let refusal = LogError.system(operation: "rename", file: "snap.tmp", errno: EISDIR)
    #expect(throws: refusal) { _ = try writer.publish() }
    #expect(throws: refusal) { _ = try writer.publish() }
    writer.abandon()
    #expect(try home.folder.names() == [name])
  }

  @Test("The rate bounds what is charged in any time, with a short burst")
  func pacer() {
    var random = SeededRandom(seed())
    var pacer = SnapshotPacer(bytesPerSecond: 1_000_000)
    var now: Int64 = 5
    var charged = 0
    for step in 0..<5_000 {
      let bytes = random.int(0...random.pick([100, 300_000]))
      charged += bytes
      now += pacer.charge(bytes, at: now)
      // Time that passes meanwhile is not charged again, and hardly saved up.
      if step % 7 == 0 { now += Int64(random.int(0...30_000_000)) }
    }
    let allowed = Double(now + SnapshotPacer.burstNanos) / 1e9 * 1_000_000
    #expect(Double(charged) <= allowed + 5_000)
    now += 3_600_000_000_000
    #expect(pacer.charge(50_000, at: now) == 0)
    #expect(pacer.charge(50_000, at: now) == 50_000_000)
    var unlimited = SnapshotPacer(bytesPerSecond: 0)
    #expect(unlimited.charge(.max, at: 0) == 0)
  }

  @Test("A writer with a rate takes the time that it must, and writes the same")
  func rate() throws {
    let home = try TemporaryFolder()
    let start = monotonicNanos()
    let writer = try SnapshotWriter(in: home.folder, sampleHeader, bytesPerSecond: 8_000_000)
    for _ in 0..<10 { try writer.append(image) }
    let footer = try writer.finishSample()
    let (name, _) = try writer.publish()
    // A megabyte of images, twice: written, then read back.
    #expect(monotonicNanos() - start > 190_000_000)
    #expect(footer.entryCount == 10)
    #expect(home.refusal(name) == nil)
  }
}

private final class Flag: Sendable {
  private let left: Atomic<Int>

  /// Set by `set`, or when it was asked so often.
  init(afterAsked count: Int = .max) { left = Atomic(count) }

  func set() { left.store(0, ordering: .relaxed) }

  var isSet: Bool {
    if left.load(ordering: .relaxed) == 0 { return true }
    left.subtract(1, ordering: .relaxed)
    return false
  }
}
