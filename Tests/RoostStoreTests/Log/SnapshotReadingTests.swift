import Synchronization
import Testing

@testable import RoostStore

@Suite("Parallel reading of a snapshot") struct SnapshotReadingTests {
  private func makeImages(_ count: Int) -> [SnapshotImage] {
    var random = SeededRandom(seed())
    return (0..<count).map { _ in
      SnapshotImage(bytes: random.bytes(200) + [UInt8](repeating: 1, count: 60_000))
    }
  }

  private final class Found: Sendable {
    let blocks = Mutex<[FoundBlock]>([])
    let bytesDone = Mutex<Int64>(0)
    func add(_ block: SnapshotBlock) { blocks.withLock { $0.append(FoundBlock(block)) } }
  }

  @Test("Each block comes once, whatever the number of threads", arguments: [0, 1, 2, 5, 1_000])
  func threads(count: Int) throws {
    let home = try TemporaryFolder()
    let (name, footer) = try home.makeSnapshot(makeImages(60))
    let found = Found()
    let file = try SnapshotFile(in: home.folder, name)
    try file.readBlocks(threads: count) { (worker, block) throws(LogError) in
      #expect((0..<max(1, count)).contains(worker))
      found.add(block)
    } progress: { bytes in
      found.bytesDone.withLock { $0 = max($0, bytes) }
    }
    let blocks = found.blocks.withLock { $0 }
    #expect(blocks.count == Int(footer.blockCount))
    #expect(blocks.sorted { $0.offset < $1.offset } == (try home.readBlocks(name)))
    #expect(found.bytesDone.withLock { $0 } == file.fileBytes)
  }

  @Test("The first damage in the file is named, by any number of threads", arguments: [1, 2, 4])
  func damage(threads: Int) throws {
    let home = try TemporaryFolder()
    let (name, _) = try home.makeSnapshot(makeImages(60))
    let blocks = try home.readBlocks(name)
    var bytes = try home.read(name)
    for index in [4, 5, 6, 11] { bytes[Int(blocks[index].end) - 1] ^= 1 }
    // Its length is wrong, so that what follows is, too.
    bytes[Int(blocks[7].offset) + 16] ^= 1
    try home.write(bytes, to: name)
    for _ in 0..<20 {
      #expect(
        home.refusal(name, threads: threads)
          == .damaged(
            file: name, offset: blocks[4].offset, reason: "the block's checksum does not match"))
    }
  }

  @Test("What the reader of blocks throws ends the reading", arguments: [1, 3])
  func thrown(threads: Int) throws {
    let home = try TemporaryFolder()
    let (name, _) = try home.makeSnapshot(makeImages(60))
    let found = Found()
    #expect(throws: LogError.notPossible("enough")) {
      try SnapshotFile(in: home.folder, name).readBlocks(threads: threads) {
        (_, block) throws(LogError) in
        found.add(block)
        if block.entryCount > 0 { throw .notPossible("enough") }
      }
    }
    #expect(found.blocks.withLock { $0.count } <= threads)
  }

  @Test("Missing blocks are noticed by several threads, too")
  func missing() throws {
    let home = try TemporaryFolder()
    let (name, _) = try home.makeSnapshot(makeImages(60))
    let last = try #require(try home.readBlocks(name).last)
    var bytes = try home.read(name)
    bytes.removeSubrange(Int(last.offset)..<Int(last.end))
    try home.write(bytes, to: name)
    #expect(home.refusal(name, threads: 3) != nil)
  }
}
