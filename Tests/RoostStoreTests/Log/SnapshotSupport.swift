import Glibc
import Testing

@testable import RoostStore

/// A block, owned.
struct FoundBlock: Hashable, Sendable {
  var kind: SnapshotBlockKind
  var entryCount: Int
  var offset: Int64
  var fileBytes: Int
  var raw: [UInt8]

  init(_ block: SnapshotBlock) {
    kind = block.kind
    entryCount = block.entryCount
    offset = block.offset
    fileBytes = block.fileBytes
    raw = Array(block.raw)
  }

  var end: Int64 { offset + Int64(fileBytes) }
}

struct SnapshotImage: Hashable {
  var kind = SnapshotBlockKind.entries
  var bytes: [UInt8]
}

let sampleHeader = SnapshotHeader(
  storeID: StoreID(words: (0x0123_4567_89ab_cdef, 0xfedc_ba98_7654_3210)), startSequence: 77,
  createdAtMillis: 1_700_000_000_123)

extension SnapshotWriter {
  func append(_ image: SnapshotImage) throws {
    try image.bytes.withUnsafeBytes { try append(image.kind, $0) }
  }

  func finishSample() throws -> SnapshotFooter {
    try finish(lastRevision: 1_234, endSequence: 99, revisionLimit: 5_000)
  }
}

extension TemporaryFolder {
  /// Writes and publishes one.
  func makeSnapshot(
    _ images: [SnapshotImage], _ header: SnapshotHeader = sampleHeader
  ) throws -> (name: String, footer: SnapshotFooter) {
    let writer = try SnapshotWriter(in: folder, header, bytesPerSecond: 0)
    for image in images { try writer.append(image) }
    let footer = try writer.finishSample()
    return (try writer.publish().name, footer)
  }

  /// Five blocks of images of a few bytes, 400 bytes or so in all.
  func makeSmallSnapshot() throws -> (name: String, bytes: [UInt8], blocks: [FoundBlock]) {
    let images = (0..<5).flatMap { block in
      (0...block).map { image in
        SnapshotImage(
          kind: block % 2 == 0 ? .entries : .answers, bytes: Array("image \(block) \(image)".utf8))
      }
    }
    let (name, _) = try makeSnapshot(images)
    let blocks = try readBlocks(name)
    #expect(blocks.count == 5)
    return (name, try read(name), blocks)
  }

  /// All blocks in order.
  func readBlocks(_ name: String) throws -> [FoundBlock] {
    var blocks: [FoundBlock] = []
    try SnapshotFile(in: folder, name).forEachBlock { (block) throws(LogError) in
      blocks.append(FoundBlock(block))
    }
    return blocks
  }

  func salvage(_ name: String) throws -> (blocks: [FoundBlock], report: SnapshotSalvage) {
    var blocks: [FoundBlock] = []
    let report = try SnapshotFile.salvageBlocks(in: folder, name) { (block) throws(LogError) in
      blocks.append(FoundBlock(block))
    }
    return (blocks, report)
  }

  /// Opens and reads everything; nil where it is accepted.
  func refusal(_ name: String, threads: Int = 1) -> LogError? {
    do throws(LogError) {
      let file = try SnapshotFile(in: folder, name)
      if threads == 1 {
        try file.verify()
      } else {
        try file.readBlocks(threads: threads) { (_, _) throws(LogError) in }
      }
      return nil
    } catch {
      return error
    }
  }
}

extension SeededRandom {
  mutating func bytes(_ count: Int) -> [UInt8] {
    (0..<count).map { _ in UInt8(truncatingIfNeeded: next()) }
  }
}
