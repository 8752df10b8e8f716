import CLinux
import Glibc
import Testing

@testable import RoostStore

@Suite("Starts on a directory that is not whole") struct LogRecoveryTests {
  /// Three segments, and marks up to the last but six calls.
  private static func segmented() throws -> (LogHistory, [String]) {
    let history = try LogHistory(rotatesAfter: [8, 16])
    let segments = try history.folder.segments
    #expect(segments.count == 3)
    return (history, segments)
  }

  @Test("A log of several segments is replayed whole")
  func segments() throws {
    let (history, segments) = try Self.segmented()
    let found = try FoundStore(history.folder, now: history.now)
    #expect(found.state == history.states.last)
    #expect(found.outcome.report.cut == nil)
    #expect(
      found.outcome.openSegment?.firstSequence == LogFormat.firstSequence(ofSegment: segments[2]))
  }

  @Test("A missing segment is refused by its first sequence", arguments: [0, 1])
  func missing(index: Int) throws {
    let (history, segments) = try Self.segmented()
    try history.folder.folder.remove(segments[index])
    let sequence = try #require(LogFormat.firstSequence(ofSegment: segments[index]))
    #expect(throws: LogError.missingSegment(firstSequence: sequence, before: segments[index + 1])) {
      try FoundStore(history.folder, now: history.now)
    }
  }

  @Test("A damaged header of a segment with durable records is refused", arguments: 0..<3)
  func header(index: Int) throws {
    let (history, segments) = try Self.segmented()
    let folder = history.folder
    for offset in 0..<LogFormat.segmentHeaderBytes {
      let byte = try folder.read(segments[index])[offset]
      try folder.patch(segments[index], at: offset, [byte ^ 4])
      let error = #expect(throws: LogError.self, "byte \(offset)") {
        try FoundStore(folder, now: history.now)
      }
      guard case .damaged(segments[index], 0, _) = error else {
        Issue.record("byte \(offset): \(String(describing: error))")
        return
      }
      try folder.patch(segments[index], at: offset, [byte])
    }
  }

  @Test("Segments that changed places are refused")
  func swapped() throws {
    let (history, segments) = try Self.segmented()
    let folder = history.folder
    let (one, other) = (try folder.read(segments[1]), try folder.read(segments[2]))
    try folder.write(other, to: segments[1])
    try folder.write(one, to: segments[2])
    let error = #expect(throws: LogError.self) { try FoundStore(folder, now: history.now) }
    guard case .damaged(segments[1], 32, _) = error else {
      Issue.record("\(String(describing: error))")
      return
    }
  }

  @Test("A segment of another store is refused", arguments: 0..<3)
  func foreign(index: Int) throws {
    let (history, segments) = try Self.segmented()
    let (other, _) = try Self.segmented()
    try history.folder.write(other.folder.read(segments[index]), to: segments[index])
    let file = segments[max(index, 1)]
    #expect(throws: LogError.foreignFile(file: file)) {
      try FoundStore(history.folder, now: history.now)
    }
  }

  @Test("A newer format is refused by its version, wherever it is", arguments: 0..<3)
  func newer(index: Int) throws {
    let (history, segments) = try Self.segmented()
    var bytes = try history.folder.read(segments[index])
    bytes[8] = 9
    bytes.withUnsafeMutableBytes { target in
      let checksum = clinux_crc32c(0, target.baseAddress, 40)
      target.storeBytes(of: checksum, toByteOffset: 40, as: UInt32.self)
    }
    try history.folder.write(bytes, to: segments[index])
    #expect(throws: LogError.newerFormat(file: segments[index], version: 9, supported: 1)) {
      try FoundStore(history.folder, now: history.now)
    }
    // Also behind a gap, where it would be removed.
    guard index == 2 else { return }
    try history.folder.folder.remove(segments[1])
    #expect(throws: LogError.newerFormat(file: segments[index], version: 9, supported: 1)) {
      try FoundStore(history.folder, now: history.now)
    }
  }

  @Test("A whole record of an unknown kind is refused by its number, marked as durable or not")
  func unknownKind() throws {
    let history = try LogHistory()
    let segment = try #require(try history.folder.segments.first)
    for record in [history.records[3], history.records[history.records.count - 1]] {
      let folder = try history.folder.copy()
      var bytes = Array(try folder.read(segment)[record.offset..<record.end])
      bytes[LogFormat.kindOffset] = 99
      bytes.seal()
      try folder.patch(segment, at: record.offset, bytes)
      let error = LogError.unknownRecord(file: segment, offset: Int64(record.offset), kind: 99)
      #expect(throws: error) { try FoundStore(folder, now: history.now) }
    }
  }

  @Test("Zeros behind the end are cut off, and reported", arguments: [1, 17, 4_096, 5 << 20])
  func zeros(count: Int) throws {
    let history = try LogHistory()
    let segment = try #require(try history.folder.segments.first)
    let bytes = try history.folder.read(segment)
    try history.folder.write(bytes + [UInt8](repeating: 0, count: count), to: segment)
    let found = try FoundStore(history.folder, now: history.now)
    #expect(found.state == history.states.last)
    let cut = try #require(found.outcome.report.cut)
    #expect(cut.offset == Int64(bytes.count) && cut.bytes == Int64(count) && cut.file == segment)
  }

  @Test("Of a batch whose pages came in another order only the begin is kept")
  func tornBatch() throws {
    let history = try LogHistory()
    let segment = try #require(try history.folder.segments.first)
    // The last calls have no mark: the second of them never reached the disk, the others did.
    let unmarked = history.records.suffix(3)
    let torn = unmarked[unmarked.startIndex + 1]
    let zeros = [UInt8](repeating: 0, count: torn.end - torn.offset)
    try history.folder.patch(segment, at: torn.offset, zeros)
    let found = try FoundStore(history.folder, now: history.now)
    #expect(found.state == history.state(below: torn.sequence))
    #expect(found.outcome.report.cut?.offset == Int64(torn.offset))
    // One that a mark behind it says was durable is not to be missed.
    let marked = try #require(history.records.last { $0.kind == .durableMark }).mark - 1
    let durable = try #require(history.records.first { $0.sequence == marked })
    let hole = [UInt8](repeating: 0, count: durable.end - durable.offset)
    try history.folder.patch(segment, at: durable.offset, hole)
    let error = #expect(throws: LogError.self) {
      try FoundStore(history.folder, now: history.now)
    }
    guard case .damaged(segment, Int64(durable.offset), _) = error else {
      Issue.record("\(String(describing: error))")
      return
    }
  }

  @Test("What was cut off does not come back, wherever the next start is cut off itself")
  func noResurrection() throws {
    let history = try LogHistory()
    let segment = try #require(try history.folder.segments.first)
    let record = history.records[history.records.count - 3]
    let byte = try history.folder.read(segment)[record.offset + 20]
    try history.folder.patch(segment, at: record.offset + 20, [byte ^ 1])
    let expected = history.state(below: record.sequence)
    let clock = ManualStoreClock(wallMillis: history.now)
    // Reading alone changes nothing, however often.
    for _ in 0..<2 { #expect(try FoundStore(history.folder, now: history.now).state == expected) }
    var left: TemporaryFolder?
    do {
      let store = try LogStore(history.folder, clock: clock)
      #expect(store.engine.report.cut?.offset == Int64(record.offset))
      #expect(try store.state() == expected)
      left = try history.folder.copy()
      try store.set("after", 1)
      store.durability.sync()
    }
    for folder in [history.folder, try #require(left)] {
      let bytes = try folder.read(segment)
      // A crash may take away what the start has written, to any length.
      for length in stride(from: bytes.count, through: record.offset, by: -1) {
        try folder.truncate(segment, to: length)
        let found = try FoundStore(folder, now: history.now)
        #expect(found.state.filter { $0.key != "after" } == expected, "of \(length) bytes")
      }
    }
  }

  @Test("Segments behind the cut are removed before anything is written")
  func cutBeforeSegments() throws {
    let history = try LogHistory(rotatesAfter: [24, 26])
    let segments = try history.folder.segments
    let record = try #require(history.records.last { $0.segment == segments[0] })
    try history.folder.truncate(segments[0], to: record.end - 1)
    let expected = history.state(below: record.sequence)
    let clock = ManualStoreClock(wallMillis: history.now)
    let store = try LogStore(history.folder, clock: clock)
    #expect(try store.state() == expected)
    #expect(try history.folder.segments == [segments[0]])
    #expect(try LogStore(history.folder.copy(), clock: clock).state() == expected)
  }

  @Test("What a snapshot left unfinished is removed")
  func unfinishedSnapshot() throws {
    let history = try LogHistory()
    try history.folder.write([1, 2, 3], to: SnapshotFormat.temporaryName)
    let store = try LogStore(history.folder, clock: ManualStoreClock(wallMillis: history.now))
    #expect(try store.state() == history.states.last)
    #expect(try !history.folder.folder.names().contains(SnapshotFormat.temporaryName))
  }

  @Test("Revisions go on past those that were reserved, and a crash never issues one again")
  func reservation() throws {
    let folder = try TemporaryFolder()
    let store = try LogStore(folder) {
      $0.policy = .never
      $0.revisionBlock = 1 << 19
    }
    let reserved = store.log.revisionLimit
    let deadline = monotonicNanos() + 60_000_000_000
    while store.revision < reserved + 1_000, monotonicNanos() < deadline {
      // Refused where the log's thread has not reserved the next ones yet.
      for _ in 0..<1_000 where (try? store.increment("n")) == nil { usleep(1_000) }
      store.durability.endOfTick(waitsFor: 0, isIdle: true)
    }
    #expect(store.revision >= reserved + 1_000)
    #expect(store.log.revisionLimit > store.revision)
    store.durability.sync()
    let found = try LogStore(folder.copy())
    #expect(try found.value("n") == store.value("n"))
    #expect(try found.increment("n").revision > store.revision)
  }

  @Test("A second opener is refused for as long as the first one has the directory")
  func inUse() throws {
    let folder = try TemporaryFolder()
    do {
      let first = try LogStore(folder)
      try first.set("a", 1)
      #expect(throws: LogError.inUse(directory: folder.path)) { try LogStore(folder) }
      first.engine.close()
    }
    #expect(try LogStore(folder).value("a") == 1)
  }
}

extension [UInt8] {
  /// Gives a record the checksum that it should have.
  mutating func seal() {
    let bodyBytes = count - LogFormat.recordHeaderBytes
    withUnsafeMutableBytes { target in
      let checksum = LogFormat.checksum(unsafe: target.baseAddress!, bodyBytes: bodyBytes)
      target.storeBytes(of: checksum, toByteOffset: LogFormat.checksumOffset, as: UInt32.self)
    }
  }
}
