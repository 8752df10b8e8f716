import Glibc
import Testing

@testable import RoostStore

/// A directory of a test's own, removed at the end of its life.
final class TemporaryFolder: Sendable {
  let folder: DataFolder
  var path: String { folder.path }

  init() throws {
    var template = Array("/tmp/roost-test-XXXXXX".utf8CString)
    let made = template.withUnsafeMutableBufferPointer { mkdtemp($0.baseAddress!) }
    folder = try DataFolder(String(cString: try #require(made)))
  }

  /// The same directory, opened anew: what was mounted there.
  init(at other: TemporaryFolder) throws { folder = try DataFolder(other.path) }

  deinit {
    for name in (try? folder.names()) ?? [] {
      unlinkat(folder.descriptor, name, 0)
      unlinkat(folder.descriptor, name, AT_REMOVEDIR)
    }
    rmdir(folder.path)
  }

  func read(_ name: String) throws -> [UInt8] {
    let file = try DataFile(folder, name, flags: O_RDONLY)
    var bytes = [UInt8](repeating: 0, count: Int(try file.byteCount()))
    let count = try bytes.withUnsafeMutableBytes { try file.read(into: $0, at: 0) }
    #expect(count == bytes.count)
    return bytes
  }

  /// A copy of everything in it, as a crash at this moment would leave it: newest files first, so
  /// that what was written in the meantime makes no gap.
  func copy() throws -> TemporaryFolder {
    let copy = try TemporaryFolder()
    for name in try folder.names().reversed() { try copy.write(read(name), to: name) }
    return copy
  }

  /// The log's segments, oldest first.
  var segments: [String] {
    get throws { try folder.names().filter { LogFormat.firstSequence(ofSegment: $0) != nil } }
  }

  /// The snapshots, oldest first.
  var snapshots: [String] {
    get throws { try folder.names().filter { SnapshotFormat.startSequence(ofName: $0) != nil } }
  }

  func write(_ bytes: [UInt8], to name: String) throws {
    let file = try DataFile(folder, name, flags: O_WRONLY | O_CREAT | O_TRUNC)
    try file.write(bytes, at: 0)
  }
}
