import Glibc
import Testing

@testable import RoostStore

/// A log that was written call by call, and what the store was after each: what may be found in
/// the log when it is damaged is known.
struct LogHistory {
  /// As a crash would have left it: the last batches are not covered by a mark.
  let folder: TemporaryFolder
  /// After so many records that change something.
  let states: [[StoredEntry]]
  let now: Int64
  /// The segment's records, in order.
  private(set) var records: [LogRecord] = []

  /// One of the log's records.
  struct LogRecord {
    var segment: String
    var offset: Int
    var end: Int
    var sequence: UInt64
    var kind: LogFormat.Kind
    /// Of a mark.
    var mark: UInt64 = 0
  }

  /// Those whose answers are kept, for their idempotency keys.
  private static let answered: Set<Int> = [2, 10, 22]

  /// Calls of every kind, each of which makes one record.
  static let calls: [StoreCall] = {
    func set(_ key: Bytes, _ value: StoreValue, _ expires: StoreExpiration = .never) -> StoreCall {
      .set(SetCall(key: key, value: value, expiration: expires))
    }
    return [
      set("text", "some text"), set("bytes", .bytes([0, 1, 255])), set("int", 41),
      set("double", 2.5), set("bool", true), set("list", ["a", "b", ""]), set("empty", []),
      set("text", "other text, which is longer than the one before"),
      set("short", "soon over", .after(50)), set("long", "later", .after(3_600_000)),
      .increment(IncrementCall(key: "int", delta: 1)),
      .touch("text", .after(7_200_000)), .touch("long", .never),
      .push(PushCall(key: "list", items: ["c", "d"])),
      .push(PushCall(key: "list", items: ["0", "1"], side: .front, maxLength: 5)),
      .pop(PopCall(key: "list", side: .front)), .pop(PopCall(key: "list", count: 2)),
      .push(PushCall(key: "queue", items: ["x"])), .pop(PopCall(key: "queue")),
      .delete(DeleteCall(key: "bool")),
      .transact(
        TransactCall(success: [
          .set("one", ["a"]), .push("one", ["b", "c"]), .pop("one", from: .front), .delete("int"),
          .set("int", 7), .push("list", ["t"], maxLength: 2), .delete("double"),
        ])),
      set("range:1", 1), set("range:2", 2), set("range:3", 3),
      .deleteRange(StoreRange(prefix: "range:", end: "range:3")),
      .transact(
        TransactCall(success: [
          .set("gone", ["a"]), .push("gone", ["b"]), .pop("gone", count: 2), .increment("int"),
        ])),
      set("last", "value"), .push(PushCall(key: "list", items: ["end"])),
    ]
  }()

  /// - Parameters:
  ///   - rotatesAfter: numbers of calls after which a segment is ended.
  ///   - snapshotAfter: numbers of calls after which a snapshot is taken.
  init(rotatesAfter: Set<Int> = [], snapshotAfter: Set<Int> = []) throws {
    let clock = ManualStoreClock()
    let origin = try TemporaryFolder()
    let store = try LogStore(origin, clock: clock) { $0.policy = .never }
    var states: [[StoredEntry]] = [[]]
    func perform(_ call: StoreCall) throws {
      let before = store.revision
      _ = try store.perform(call)
      #expect(store.revision == before + 1, "\(call) makes one record")
      states.append(try store.state())
    }
    for (index, call) in Self.calls.enumerated() {
      store.session.ticket =
        Self.answered.contains(index) ? StoreTicket(key: Bytes("once:\(index)")) : nil
      try perform(call)
      store.session.ticket = nil
      if index == 9 {
        clock.advance(millis: 60)
        // Expires "short".
        try perform(.delete(DeleteCall(key: "short")))
      }
      // The last six are not covered by a mark.
      if index % 5 == 4, index < Self.calls.count - 6 { store.writer.sync() }
      store.writer.flush()
      if rotatesAfter.contains(index) { _ = try store.writer.beginSegment() }
      if snapshotAfter.contains(index) { try store.takeSnapshot() }
    }
    now = clock.wallMillis
    folder = try origin.copy()
    self.states = states
    for segment in try folder.segments { try readRecords(segment) }
    let changes = records.count { $0.isChange }
    #expect(changes + 1 == states.count || !snapshotAfter.isEmpty)
  }

  private mutating func readRecords(_ segment: String) throws {
    let reader = try SegmentReader(in: folder.folder, segment)
    var positions: [SegmentReader.Position] = []
    while try reader.readBatch(&positions) {
      for position in positions {
        let offset = Int(position.fileOffset)
        var record = LogRecord(
          segment: segment, offset: offset,
          end: offset + LogFormat.recordHeaderBytes + position.bodyBytes,
          sequence: position.sequence, kind: try #require(LogFormat.Kind(rawValue: position.kind)))
        let change = try LoggedChange(record.kind, reader.body(position))
        if case .durableMark(_, let sequence) = change { record.mark = sequence }
        records.append(record)
      }
    }
  }

  /// The state that the records below a sequence make. Of a whole log.
  func state(below sequence: UInt64) -> [StoredEntry] {
    states[records.count { $0.sequence < sequence && $0.isChange }].filter { !$0.isOver(now) }
  }

  var endSequence: UInt64 { (records.last?.sequence ?? 0) + 1 }
}

extension LogHistory.LogRecord {
  var isChange: Bool { kind != .durableMark && kind != .revisionLimit }
}

extension TemporaryFolder {
  /// Writes some bytes of a file anew.
  func patch(_ name: String, at offset: Int, _ bytes: [UInt8]) throws {
    let file = try DataFile(folder, name, flags: O_WRONLY)
    try file.write(bytes, at: Int64(offset))
  }

  func truncate(_ name: String, to bytes: Int) throws {
    try DataFile(folder, name, flags: O_WRONLY).truncate(to: Int64(bytes))
  }
}
