/// The log's records from a snapshot's start to its end: with them the snapshot is the store at
/// one moment without any other file.
struct SnapshotTail: ~Copyable {
  private let folder: DataFolder
  private let start: UInt64
  private let end: UInt64

  init(_ folder: borrowing DataFolder, from start: UInt64, to end: UInt64) throws(LogError) {
    self.folder = try DataFolder(folder.path)
    self.start = start
    self.end = end
  }

  /// Copies the records into a snapshot. They must be durable.
  func append(to file: SnapshotWriter) throws(LogError) {
    let starts = try folder.names().compactMap(LogFormat.firstSequence(ofSegment:)).sorted()
    var expected = start
    for first in starts where first >= start && first < end {
      let reader = try SegmentReader(in: folder, LogFormat.segmentName(firstSequence: first))
      var positions: [SegmentReader.Position] = []
      reading: while try reader.readBatch(&positions) {
        for position in positions {
          if position.sequence >= end { break reading }
          try file.append(.records, reader.record(position))
          expected = position.sequence + 1
        }
      }
    }
    guard expected == end else {
      throw .notPossible("the log ends at sequence \(expected), before the snapshot's \(end)")
    }
  }
}
