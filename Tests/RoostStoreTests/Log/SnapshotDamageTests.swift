import CLinux
import Testing

@testable import RoostStore

@Suite("A damaged snapshot") struct SnapshotDamageTests {
  private let name = "copy"

  @Test("Each single flipped bit is refused, and costs at most the block that it is in")
  func flippedBits() throws {
    let home = try TemporaryFolder()
    let (_, bytes, blocks) = try home.makeSmallSnapshot()
    var accepted = 0
    for bit in 0..<(bytes.count * 8) {
      var damaged = bytes
      damaged[bit / 8] ^= 1 << (bit % 8)
      try home.write(damaged, to: name)
      guard case .damaged(name, let offset, _) = home.refusal(name) else {
        accepted += 1
        continue
      }
      let place = Int64(bit / 8)
      let hit = blocks.first { $0.offset <= place && place < $0.end }
      if let hit { #expect(offset == hit.offset, "bit \(bit)") }
      let (found, report) = try home.salvage(name)
      #expect(found == blocks.filter { $0 != hit }, "bit \(bit)")
      let loss = try #require(report.losses.first)
      #expect(report.losses.count == 1, "bit \(bit): \(report.losses)")
      #expect(loss.offset <= place && place < loss.offset + loss.byteCount, "bit \(bit)")
      if let hit { #expect(loss.offset == hit.offset && loss.byteCount == hit.fileBytes) }
    }
    #expect(accepted == 0)
  }

  @Test("Each truncation is refused, and leaves the blocks before it")
  func truncations() throws {
    let home = try TemporaryFolder()
    let (_, bytes, blocks) = try home.makeSmallSnapshot()
    for length in 0..<bytes.count {
      try home.write(Array(bytes[..<length]), to: name)
      guard case .damaged = home.refusal(name) else {
        Issue.record("a snapshot of \(length) bytes of \(bytes.count) is accepted")
        continue
      }
      let (found, report) = try home.salvage(name)
      #expect(found == blocks.filter { $0.end <= length }, "\(length) bytes")
      #expect(!report.losses.isEmpty)
      #expect(report.footer == nil)
    }
    try home.write(bytes + [0], to: name)
    #expect(home.refusal(name) != nil)
  }

  @Test("Damage at random, of any size, is never accepted", arguments: 0..<4)
  func random(round: UInt64) throws {
    var random = SeededRandom(seed() &+ round)
    let home = try TemporaryFolder()
    let (_, bytes, blocks) = try home.makeSmallSnapshot()
    for _ in 0..<400 {
      var damaged = bytes
      for _ in 0..<random.int(1...4) {
        let start = random.int(0...(bytes.count - 1))
        let count = random.int(1...min(random.pick([1, 4, 60]), bytes.count - start))
        switch random.int(0...2) {
        case 0: damaged.replaceSubrange(start..<(start + count), with: random.bytes(count))
        case 1: damaged.removeSubrange(start..<min(start + count, damaged.count))
        default: damaged.insert(contentsOf: bytes[start..<(start + count)], at: start)
        }
        if damaged.count < bytes.count { damaged += random.bytes(bytes.count - damaged.count) }
      }
      if damaged == bytes { continue }
      try home.write(damaged, to: name)
      #expect(home.refusal(name) != nil)
      // Blocks may have moved; their content may not have changed.
      let known = Set(blocks.map(\.raw))
      #expect(try home.salvage(name).blocks.allSatisfy { known.contains($0.raw) })
    }
  }

  @Test("Blocks that are exchanged, repeated or left out are refused")
  func reordered() throws {
    let home = try TemporaryFolder()
    let (_, bytes, blocks) = try home.makeSmallSnapshot()
    let parts = blocks.map { Array(bytes[Int($0.offset)..<Int($0.end)]) }
    let head = Array(bytes[..<SnapshotFormat.headerBytes])
    let foot = Array(bytes.suffix(SnapshotFormat.footerBytes))
    let orders = [[0, 1, 4, 3, 2], [0, 1, 2, 3], [0, 1, 2, 3, 4, 4], [2, 1, 0, 3, 4], []]
    for order in orders {
      try home.write(head + order.flatMap { parts[$0] } + foot, to: name)
      #expect(home.refusal(name) != nil, "\(order)")
    }
    try home.write(head + parts.flatMap { $0 } + foot, to: name)
    #expect(home.refusal(name) == nil)
  }

  @Test("A snapshot under the name of another sequence is refused")
  func renamed() throws {
    let home = try TemporaryFolder()
    let (_, bytes, _) = try home.makeSmallSnapshot()
    try home.write(bytes, to: SnapshotFormat.name(startSequence: 78))
    #expect(home.refusal(SnapshotFormat.name(startSequence: 78)) != nil)
  }

  @Test("A newer format is refused by its version, also where its header is longer")
  func newerVersion() throws {
    let home = try TemporaryFolder()
    let (_, bytes, _) = try home.makeSmallSnapshot()
    for headerBytes in [52, 60, 100] {
      var newer = bytes
      newer.withUnsafeMutableBytes {
        $0.storeLittleEndian(UInt32(2), at: 8)
        $0.storeLittleEndian(UInt32(headerBytes), at: 12)
        let checksum = clinux_crc32c(0, $0.baseAddress, headerBytes - 4)
        $0.storeLittleEndian(checksum, at: headerBytes - 4)
      }
      try home.write(newer, to: name)
      let expected = LogError.newerFormat(file: name, version: 2, supported: 1)
      #expect(home.refusal(name) == expected)
      #expect(throws: expected) { try home.salvage(name) }
    }
  }

  @Test("A block of an unknown kind is refused by its kind")
  func unknownKind() throws {
    let home = try TemporaryFolder()
    try home.writeBlock(kind: 9, entryCount: 1, rawBytes: 1, stored: oneByte, to: name)
    #expect(
      home.refusal(name)
        == .unknownRecord(file: name, offset: Int64(SnapshotFormat.headerBytes), kind: 9))
    let (found, report) = try home.salvage(name)
    #expect(found.isEmpty)
    #expect(report.losses.first?.reason == "a block of the unknown kind 9")
  }

  /// A zstd frame of one byte, 0x2a: magic, descriptor, size, a raw block.
  private let oneByte: [UInt8] = [0x28, 0xb5, 0x2f, 0xfd, 0x20, 1, 9, 0, 0, 0x2a]

  @Test("Sizes that no writer writes are refused, under a right checksum too")
  func impossibleSizes() throws {
    let home = try TemporaryFolder()
    try home.writeBlock(kind: 1, entryCount: 1, rawBytes: 1, stored: oneByte, to: name)
    #expect(home.refusal(name) == nil)
    let most = SnapshotFormat.maxImageBytes
    let sizes = [(1, 0), (1, 2), (1, most), (1, most + 1), (1, 0xffff_ffff), (0, 1), (2, 1)]
    for (entryCount, rawBytes) in sizes {
      try home.writeBlock(
        kind: 1, entryCount: entryCount, rawBytes: rawBytes, stored: oneByte, to: name)
      #expect(home.refusal(name) != nil, "\(entryCount) images, \(rawBytes) bytes")
      #expect(try home.salvage(name).blocks.isEmpty)
    }
    for stored in [[], [1, 2, 3], [UInt8](repeating: 0, count: 5_000), oneByte + [1]] {
      try home.writeBlock(kind: 1, entryCount: 1, rawBytes: 1, stored: stored, to: name)
      #expect(home.refusal(name) != nil)
    }
  }

  @Test("A footer that counts more than the file can hold is refused when it is opened")
  func impossibleFooter() throws {
    let home = try TemporaryFolder()
    let (header, tag) = sampleHeader.encoded()
    var footer = SnapshotFooter(
      entryCount: 0, answerCount: 0, blockCount: 0, rawBytes: 0, lastRevision: 0, endSequence: 0,
      revisionLimit: 0)
    let edits: [WritableKeyPath<SnapshotFooter, UInt64>] = [
      \.entryCount, \.answerCount, \.blockCount, \.rawBytes,
    ]
    for edit in edits {
      footer[keyPath: edit] = .max
      try home.write(header + footer.encoded(headerChecksum: tag, blocksChecksum: 0), to: name)
      #expect(throws: LogError.self) { _ = try SnapshotFile(in: home.folder, name) }
      footer[keyPath: edit] = 0
    }
    try home.write(header + footer.encoded(headerChecksum: tag, blocksChecksum: 0), to: name)
    #expect(home.refusal(name) == nil)
  }
}

extension TemporaryFolder {
  /// A file of one block as it is given, with checksums that are right.
  func writeBlock(
    kind: UInt8, entryCount: Int, rawBytes: Int, stored: [UInt8], to name: String
  ) throws {
    let (header, tag) = sampleHeader.encoded()
    var block = SnapshotBlockHeader(
      tag: tag, kind: kind, entryCount: entryCount, rawBytes: rawBytes, storedBytes: stored.count)
    var bytes = [UInt8](repeating: 0, count: SnapshotFormat.blockHeaderBytes)
    bytes.withUnsafeMutableBytes { target in
      stored.withUnsafeBytes { block.write(to: target, stored: $0) }
    }
    let footer = SnapshotFooter(
      entryCount: UInt64(entryCount), answerCount: 0, blockCount: 1, rawBytes: UInt64(rawBytes),
      lastRevision: 0, endSequence: 0, revisionLimit: 0)
    let end = footer.encoded(
      headerChecksum: tag, blocksChecksum: SnapshotBlockHeader.chain(0, block.checksum))
    try write(header + bytes + stored + end, to: name)
  }
}
