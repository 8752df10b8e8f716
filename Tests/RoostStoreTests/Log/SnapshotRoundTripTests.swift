import Glibc
import Testing

@testable import RoostStore

@Suite("A snapshot file") struct SnapshotRoundTripTests {
  @Test("An empty snapshot has a header, a footer and nothing else")
  func empty() throws {
    let home = try TemporaryFolder()
    let (name, footer) = try home.makeSnapshot([])
    let file = try SnapshotFile(in: home.folder, name)
    #expect(file.fileBytes == Int64(SnapshotFormat.headerBytes + SnapshotFormat.footerBytes))
    #expect(file.footer == footer)
    #expect(footer.blockCount == 0 && footer.entryCount == 0 && footer.rawBytes == 0)
    #expect(try home.readBlocks(name).isEmpty)
    #expect(home.refusal(name, threads: 3) == nil)
  }

  @Test(
    "Images come back in order, whatever their sizes",
    arguments: [1, 2, 100, 168, 5_000, 262_143, 262_144, 262_145, 3 << 20])
  func sizes(bytes: Int) throws {
    var random = SeededRandom(seed() &+ UInt64(bytes))
    let home = try TemporaryFolder()
    let noise = random.bytes(min(bytes, 4_096))
    let images = (0..<(bytes < 1_000 ? 4_000 : 5)).map { index in
      // Some compress well, some not at all.
      var image = [UInt8](repeating: UInt8(truncatingIfNeeded: index), count: bytes)
      if index % 2 == 0 { image.replaceSubrange(0..<noise.count, with: noise) }
      return SnapshotImage(kind: index % 3 == 2 ? .answers : .entries, bytes: image)
    }
    let sorted = images.filter { $0.kind == .entries } + images.filter { $0.kind == .answers }
    let (name, footer) = try home.makeSnapshot(sorted)
    let blocks = try home.readBlocks(name)
    #expect(blocks.flatMap(\.raw) == sorted.flatMap(\.bytes))
    let answers = images.count { $0.kind == .answers }
    #expect(footer.answerCount == UInt64(answers))
    #expect(footer.entryCount == UInt64(images.count - answers))
    #expect(footer.rawBytes == UInt64(bytes * images.count))
    #expect(footer.blockCount == UInt64(blocks.count))
    for block in blocks {
      #expect(block.raw.count <= max(SnapshotFormat.blockBytes, bytes))
      #expect(block.raw.count == block.entryCount * bytes)
    }
  }

  @Test("Images of random sizes and kinds come back, block by block")
  func random() throws {
    var random = SeededRandom(seed())
    let home = try TemporaryFolder()
    var images: [SnapshotImage] = []
    for _ in 0..<600 {
      let count = random.int(1...random.pick([4, 300, 9_000, 300_000]))
      let byte = UInt8(truncatingIfNeeded: random.next())
      images.append(
        SnapshotImage(
          kind: random.oneIn(20) ? .answers : .entries,
          bytes: random.bytes(min(count, 64)) + [UInt8](repeating: byte, count: max(0, count - 64)))
      )
    }
    let (name, _) = try home.makeSnapshot(images)
    var next = images[...]
    for block in try home.readBlocks(name) {
      let own = next.prefix(block.entryCount)
      #expect(own.allSatisfy { $0.kind == block.kind })
      #expect(own.flatMap(\.bytes) == block.raw)
      next = next.dropFirst(block.entryCount)
    }
    #expect(next.isEmpty)
  }

  @Test("The largest list has a block of its own; what is larger still is refused")
  func largest() throws {
    var random = SeededRandom(seed())
    let home = try TemporaryFolder()
    let noise = random.bytes(1 << 16)
    var image = [UInt8](repeating: 7, count: SnapshotFormat.maxImageBytes + 1)
    for start in stride(from: 0, to: 40 << 20, by: 3 << 16) {
      image.withUnsafeMutableBytes { image in
        noise.withUnsafeBytes {
          (image.baseAddress! + start).copyMemory(from: $0.baseAddress!, byteCount: $0.count)
        }
      }
    }
    let writer = try SnapshotWriter(in: home.folder, sampleHeader, bytesPerSecond: 0)
    try writer.append(SnapshotImage(bytes: [1]))
    try image.withUnsafeBytes {
      try writer.append(.entries, UnsafeRawBufferPointer(rebasing: $0.dropLast()))
    }
    try writer.append(SnapshotImage(bytes: [2]))
    #expect(try writer.finishSample().blockCount == 3)
    let name = try writer.publish().name
    var sizes: [Int] = []
    try SnapshotFile(in: home.folder, name).forEachBlock { (block) throws(LogError) in
      sizes.append(block.raw.count)
      guard block.raw.count > 1 else { return }
      let isEqual = image.withUnsafeBytes {
        memcmp($0.baseAddress!, block.raw.baseAddress!, block.raw.count) == 0
      }
      #expect(isEqual)
    }
    #expect(sizes == [1, SnapshotFormat.maxImageBytes, 1])
    let other = try SnapshotWriter(in: home.folder, sampleHeader, bytesPerSecond: 0)
    #expect(throws: LogError.self) {
      try image.withUnsafeBytes { try other.append(.entries, $0) }
    }
  }

  @Test("The header and the footer say whose it is and what the log must have")
  func fields() throws {
    let home = try TemporaryFolder()
    let foreign = SnapshotHeader(
      storeID: .random(), startSequence: 0xffff_ffff_ffff_fffe, createdAtMillis: -1)
    let (name, footer) = try home.makeSnapshot([SnapshotImage(bytes: [1])], foreign)
    #expect(name == "snapshot-fffffffffffffffe")
    #expect(SnapshotFormat.startSequence(ofName: name) == 0xffff_ffff_ffff_fffe)
    let file = try SnapshotFile(in: home.folder, name)
    #expect(file.header == foreign)
    #expect(file.header.storeID != sampleHeader.storeID)
    #expect(file.footer == footer)
    #expect(footer.lastRevision == 1_234 && footer.endSequence == 99)
    #expect(footer.revisionLimit == 5_000)
  }

  @Test(
    "A name that is not exactly a snapshot's is none",
    arguments: [
      "snap.tmp", "snapshot-", "snapshot-1", "snapshot-000000000000000G",
      "snapshot-00000000000000AB", "snapshot-00000000000000001", "xsnapshot-0000000000000001",
      "snapshot-+000000000000001",
    ])
  func names(name: String) {
    #expect(SnapshotFormat.startSequence(ofName: name) == nil)
    #expect(SnapshotFormat.name(startSequence: 1) == "snapshot-0000000000000001")
  }
}
