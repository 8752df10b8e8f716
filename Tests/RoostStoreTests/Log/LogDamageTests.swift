import Testing

@testable import RoostStore

@Suite("Every byte of the log") struct LogDamageTests {
  @Test("The history holds every kind of record that calls make")
  func complete() throws {
    let kinds = try Set(LogHistory().records.map(\.kind))
    #expect(kinds == LogFormat.Kind.all)
  }

  @Test("A log cut short anywhere is a prefix, as long as its last mark says or longer")
  func truncated() throws {
    let history = try LogHistory()
    let segment = try #require(try history.folder.segments.first)
    let bytes = try history.folder.read(segment)
    let folder = try history.folder.copy()
    for length in (0...bytes.count).reversed() {
      try folder.truncate(segment, to: length)
      let whole = history.records.filter { $0.end <= length }
      let end = (whole.last?.sequence ?? 0) + 1
      let found = try FoundStore(folder, now: history.now)
      #expect(found.outcome.nextSequence == end, "of \(length) bytes")
      #expect(found.state == history.state(below: end), "of \(length) bytes")
      let isWhole = length == (whole.last?.end ?? LogFormat.segmentHeaderBytes)
      #expect((found.outcome.report.cut == nil) == isWhole, "of \(length) bytes")
    }
  }

  @Test(
    "A flipped bit is refused, or cut off with what follows it where no mark does",
    arguments: 0..<2)
  func flipped(part: Int) throws {
    let history = try LogHistory()
    let segment = try #require(try history.folder.segments.first)
    let bytes = try history.folder.read(segment)
    let folder = try history.folder.copy()
    var counts = (refused: 0, cut: 0)
    for offset in stride(from: part, to: bytes.count, by: 2) {
      for bit in 0..<8 {
        try folder.patch(segment, at: offset, [bytes[offset] ^ 1 << bit])
        let what = "bit \(bit) of byte \(offset)"
        // The first record that is not whole, and what the other marks say.
        let hit = history.records.first { $0.offset <= offset && offset < $0.end }
        let mark = history.records.filter { $0.sequence != hit?.sequence }.map(\.mark).max() ?? 0
        let end = hit?.sequence ?? 1
        do {
          let found = try FoundStore(folder, now: history.now)
          counts.cut += 1
          #expect(mark <= end, "\(what) was durable")
          #expect(found.outcome.report.cut?.file == segment, "\(what)")
          #expect(found.outcome.report.cut?.offset == Int64(hit?.offset ?? 0), "\(what)")
          #expect(found.outcome.nextSequence == end, "\(what)")
          #expect(found.state == history.state(below: end), "\(what)")
        } catch .damaged(let file, let place, let reason) as LogError {
          counts.refused += 1
          #expect(mark > end, "\(what) was not durable")
          #expect(file == segment && place == Int64(hit?.offset ?? 0) && !reason.isEmpty, "\(what)")
        }
      }
      try folder.patch(segment, at: offset, [bytes[offset]])
    }
    #expect(counts.refused > 0 && counts.cut > 0)
  }

  @Test("A flipped bit of a snapshot refuses it, and the older one gives the whole store")
  func flippedSnapshot() throws {
    let history = try LogHistory(snapshotAfter: [12, 20])
    let folder = try history.folder.copy()
    let names = try folder.snapshots
    #expect(names.count == 2)
    let newest = try #require(names.last)
    let bytes = try folder.read(newest)
    for offset in 0..<bytes.count {
      // One bit of each byte for the whole start, which is slow; all for the file alone.
      try folder.patch(newest, at: offset, [bytes[offset] ^ 1 << (offset % 8)])
      let found = try FoundStore(folder, now: history.now)
      #expect(found.state == history.states.last, "byte \(offset)")
      #expect(found.outcome.report.snapshot == names[0], "byte \(offset)")
      #expect(found.outcome.report.damagedSnapshots.count == 1, "byte \(offset)")
      for bit in 0..<8 {
        try folder.patch(newest, at: offset, [bytes[offset] ^ 1 << bit])
        guard case .damaged(newest, _, _) = folder.refusal(newest) else {
          Issue.record("bit \(bit) of byte \(offset) is accepted")
          continue
        }
      }
      try folder.patch(newest, at: offset, [bytes[offset]])
    }
  }

  @Test("Where both snapshots are damaged and the log's begin is gone, the start is refused")
  func bothSnapshots() throws {
    let history = try LogHistory(snapshotAfter: [12, 20])
    let folder = try history.folder.copy()
    for name in try folder.snapshots { try folder.patch(name, at: 60, [0xff, 0xff]) }
    let first = try #require(try folder.segments.first)
    #expect(LogFormat.firstSequence(ofSegment: first) != 1, "the first segment is not needed")
    let newest = try #require(try folder.snapshots.last)
    let error = #expect(throws: LogError.self) { try FoundStore(folder, now: history.now) }
    guard case .damaged(newest, _, _) = error else {
      Issue.record("\(String(describing: error))")
      return
    }
  }

  @Test("A snapshot without the log that it counts on is refused")
  func logEndsBeforeSnapshot() throws {
    let history = try LogHistory(snapshotAfter: [20])
    let folder = try history.folder.copy()
    let last = try #require(try folder.segments.last)
    let bytes = try folder.read(last)
    for length in 0..<bytes.count {
      try folder.truncate(last, to: length)
      let records = history.records.filter { $0.segment == last && $0.end <= length }
      let end = (records.last?.sequence).map { $0 + 1 } ?? LogFormat.firstSequence(ofSegment: last)!
      let snapshotEnd = try SnapshotFile(in: folder.folder, folder.snapshots[0]).footer.endSequence
      if end < snapshotEnd || length < LogFormat.segmentHeaderBytes {
        #expect(throws: LogError.self, "of \(length) bytes") {
          try FoundStore(folder, now: history.now)
        }
      } else {
        #expect(try FoundStore(folder, now: history.now).outcome.nextSequence == end)
      }
      try folder.write(bytes, to: last)
    }
    try folder.folder.remove(last)
    #expect(throws: LogError.self) { try FoundStore(folder, now: history.now) }
  }
}

extension LogFormat.Kind {
  fileprivate static var all: Set<LogFormat.Kind> {
    Set((1...11).compactMap { Self(rawValue: $0) })
  }
}
