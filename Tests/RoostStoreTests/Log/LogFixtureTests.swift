import Glibc
import Testing

@testable import RoostStore

/// The first version of the format, as files that were written by it. They are never written
/// anew: a version that cannot open them has broken a promise. They were made by
///
///     ROOST_WRITE_FIXTURE=1 swift test --filter LogFixtureTests
///
/// which writes `Fixtures/log-format-1` where it is not there, with `expected.txt`: what a start
/// must find, an entry to a line.
@Suite("The first format of the log", .serialized) struct LogFixtureTests {
  private static let name = "log-format-1"
  private static let expectation = "expected.txt"
  /// Half an hour after the last change, in which nothing ends.
  private static let now = ManualStoreClock().wallMillis + 1_800_000

  private static let place: String = {
    let parts = #filePath.split(separator: "/").dropLast(2)
    return "/" + parts.joined(separator: "/") + "/Fixtures/" + name
  }()

  @Test("The files can be opened, and hold exactly what was written", arguments: [true, false])
  func opens(withSnapshot: Bool) throws {
    try Self.writeWhereAsked()
    let (folder, expected) = try Self.copy()
    #expect(try folder.snapshots.count == 1 && folder.segments.count == 3)
    if !withSnapshot { for name in try folder.snapshots { try folder.folder.remove(name) } }
    let found = try FoundStore(folder, now: Self.now)
    #expect(Self.lines(found.state) == expected)
    #expect(found.outcome.report.cut == nil)
    #expect((found.outcome.report.snapshot != nil) == withSnapshot)
    // And they can be gone on with.
    let clock = ManualStoreClock(wallMillis: Self.now)
    do {
      let store = try LogStore(folder, clock: clock)
      #expect(try Self.lines(store.state()) == expected)
      #expect(try store.set("new", 1).revision > found.outcome.lastRevision)
      store.engine.close()
    }
    let store = try LogStore(folder, clock: clock)
    try store.delete("new")
    #expect(try Self.lines(store.state()) == expected)
  }

  @Test("The files have a record of every kind that calls made")
  func kinds() throws {
    let (folder, _) = try Self.copy()
    var kinds: Set<UInt8> = []
    for segment in try folder.segments {
      let reader = try SegmentReader(in: folder.folder, segment)
      var positions: [SegmentReader.Position] = []
      while try reader.readBatch(&positions) { kinds.formUnion(positions.map(\.kind)) }
    }
    #expect(kinds == [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11])
  }

  /// A copy to work on, and the lines that are expected.
  private static func copy() throws -> (TemporaryFolder, [Substring]) {
    let folder = try TemporaryFolder()
    var expected: [Substring] = []
    let origin = try DataFolder(place)
    for name in try origin.names() {
      let file = try DataFile(origin, name, flags: O_RDONLY)
      let bytes = try file.withBytes(Int(file.byteCount()), at: 0) { [UInt8]($0) }
      if name == expectation {
        expected = String(decoding: bytes, as: UTF8.self).split(separator: "\n")
      } else {
        try folder.write(bytes, to: name)
      }
    }
    return (folder, expected)
  }

  private static func lines(_ state: [StoredEntry]) -> [Substring] {
    state.map { entry in
      let value = entry.value.map { "\($0.kind) \(text($0))" } ?? "nothing"
      return Substring(
        "\(entry.key) = \(value), revision \(entry.revision), created \(entry.createRevision)"
          + " at \(entry.createdAtMillis), version \(entry.version)"
          + " at \(entry.updatedAtMillis), ends \(entry.expiresAtMillis)")
    }
  }

  /// All of it, unlike its description.
  private static func text(_ value: StoreValue) -> String {
    switch value {
    case .bytes(let bytes), .text(let bytes): bytes.array.description
    case .list(let items): items.map(\.array).description
    default: "\(value)"
    }
  }

  private static func writeWhereAsked() throws {
    guard getenv("ROOST_WRITE_FIXTURE") != nil, access(place, F_OK) != 0 else { return }
    let history = try LogHistory(rotatesAfter: [20], snapshotAfter: [12])
    try DataFolder.create(place)
    let folder = try DataFolder(place)
    for name in try history.folder.folder.names() where name != "lock" {
      let file = try DataFile(folder, name, flags: O_WRONLY | O_CREAT | O_EXCL)
      try file.write(history.folder.read(name), at: 0)
    }
    let text = lines(history.states[history.states.count - 1]).joined(separator: "\n") + "\n"
    let file = try DataFile(folder, expectation, flags: O_WRONLY | O_CREAT | O_EXCL)
    try file.write([UInt8](text.utf8), at: 0)
  }
}
