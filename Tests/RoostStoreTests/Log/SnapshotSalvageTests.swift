import Testing

@testable import RoostStore

@Suite("Salvage of a snapshot") struct SnapshotSalvageTests {
  private let name = "copy"

  /// Eight blocks or so, some of which hold what looks like blocks.
  private func makeLarge(_ home: TemporaryFolder) throws -> (bytes: [UInt8], blocks: [FoundBlock]) {
    var random = SeededRandom(seed())
    let (_, other, _) = try home.makeSmallSnapshot()
    let images = (0..<8).map { index in
      SnapshotImage(
        kind: index < 6 ? .entries : .answers,
        bytes: random.bytes(100_000) + other + random.bytes(60_000))
    }
    var header = sampleHeader
    header.startSequence = 5
    let (name, _) = try home.makeSnapshot(images, header)
    return (try home.read(name), try home.readBlocks(name))
  }

  @Test("A whole snapshot is found whole, with nothing lost")
  func whole() throws {
    let home = try TemporaryFolder()
    let (bytes, blocks) = try makeLarge(home)
    try home.write(bytes, to: name)
    let (found, report) = try home.salvage(name)
    #expect(found == blocks)
    #expect(report.losses.isEmpty)
    #expect(report.header?.startSequence == 5 && report.footer?.blockCount == 8)
    #expect(report.blockCount == 8 && report.entryCount == 6 && report.answerCount == 2)
  }

  @Test("Exactly the undamaged blocks are found, and the rest is listed", arguments: 0..<6)
  func damagedBlocks(round: UInt64) throws {
    var random = SeededRandom(seed() &+ round)
    let home = try TemporaryFolder()
    var (bytes, blocks) = try makeLarge(home)
    let hit = blocks.filter { _ in random.oneIn(3) }
    for block in hit {
      let isHeader = random.oneIn(2)
      let place = isHeader ? random.int(0...23) : random.int(24...(block.fileBytes - 1))
      bytes[Int(block.offset) + place] ^= UInt8(random.int(1...255))
    }
    try home.write(bytes, to: name)
    let (found, report) = try home.salvage(name)
    #expect(found == blocks.filter { !hit.contains($0) })
    let lost = report.losses.reduce(0) { $0 + $1.byteCount }
    #expect(lost == hit.reduce(0) { $0 + Int64($1.fileBytes) })
  }

  @Test("Without header or footer, or with neither, the blocks are found")
  func withoutEnds() throws {
    let home = try TemporaryFolder()
    let (bytes, blocks) = try makeLarge(home)
    // A field of the header, its checksum, all of it.
    for range in [20..<21, 48..<52, 0..<52] {
      for keepsFooter in [true, false] {
        var damaged = bytes
        for index in range { damaged[index] ^= 0x55 }
        if !keepsFooter { damaged.removeLast(SnapshotFormat.footerBytes) }
        try home.write(damaged, to: name)
        let (found, report) = try home.salvage(name)
        #expect(found == blocks, "\(range), footer \(keepsFooter)")
        #expect(report.header == nil && (report.footer != nil) == keepsFooter)
        #expect(report.losses.count == (keepsFooter ? 1 : 2), "\(report.losses)")
      }
    }
  }

  @Test("Bytes that are put in or taken out cost the blocks that they are in")
  func shifted() throws {
    let home = try TemporaryFolder()
    let (bytes, blocks) = try makeLarge(home)
    let place = Int(blocks[3].offset) + 70_000
    var damaged = bytes
    damaged.insert(contentsOf: [1, 2, 3, 4, 5], at: place)
    try home.write(damaged, to: name)
    #expect(try home.salvage(name).blocks.map(\.raw) == blocks.map(\.raw).without(3))
    damaged = bytes
    damaged.removeSubrange(place..<(place + 1_000))
    try home.write(damaged, to: name)
    let (found, report) = try home.salvage(name)
    #expect(found.map(\.raw) == blocks.map(\.raw).without(3))
    #expect(report.losses.map(\.byteCount) == [Int64(blocks[3].fileBytes) - 1_000])
  }

  @Test("A snapshot that a user stored as a value is not taken for blocks of this one")
  func embedded() throws {
    let home = try TemporaryFolder()
    var (bytes, blocks) = try makeLarge(home)
    // All that leads past the value is gone: the search goes through it.
    for index in 0..<24 { bytes[Int(blocks[2].offset) + index] = 0xff }
    try home.write(bytes, to: name)
    #expect(try home.salvage(name).blocks == blocks.without(2))
  }

  @Test(
    "An empty file, and one of other bytes, give nothing and say so", arguments: [0, 51, 52, 9_000])
  func nothing(count: Int) throws {
    var random = SeededRandom(seed())
    let home = try TemporaryFolder()
    try home.write(random.bytes(count), to: name)
    let (found, report) = try home.salvage(name)
    #expect(found.isEmpty)
    #expect(!report.losses.isEmpty && report.header == nil && report.footer == nil)
    #expect(report.losses.reduce(0) { $0 + $1.byteCount } == Int64(count))
  }
}

extension Array {
  fileprivate func without(_ index: Int) -> [Element] {
    Array(self[..<index] + self[(index + 1)...])
  }
}
