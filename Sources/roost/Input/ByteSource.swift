import Glibc

/// Reads all of a file or of standard input, byte for byte.
enum ByteSource {
  /// More than any request can carry: the rest is not read.
  static let maxBytes = 64 << 20

  static func standardInput() throws(UsageError) -> [UInt8] {
    try readAll(descriptor: STDIN_FILENO, name: "standard input")
  }

  /// - Parameter path: `-` is standard input.
  static func file(_ path: String) throws(UsageError) -> [UInt8] {
    if path == "-" { return try standardInput() }
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else {
      throw UsageError("'\(path)' cannot be read: \(SystemText.error(errno))")
    }
    defer { close(descriptor) }
    return try readAll(descriptor: descriptor, name: "'\(path)'")
  }

  private static func readAll(
    descriptor: Int32, name: String
  ) throws(UsageError) -> [UInt8] {
    // Appended piece by piece: to grow an array in place it is filled byte by byte first.
    return try withUnsafeTemporaryAllocation(byteCount: 64 << 10, alignment: 16) {
      (piece) throws(UsageError) in
      var bytes: [UInt8] = []
      while true {
        let length = read(descriptor, piece.baseAddress, piece.count)
        if length < 0, errno == EINTR { continue }
        guard length >= 0 else {
          throw UsageError("\(name) cannot be read: \(SystemText.error(errno))")
        }
        if length == 0 { return bytes }
        bytes.append(contentsOf: UnsafeRawBufferPointer(rebasing: piece[..<length]))
        guard bytes.count <= maxBytes else {
          throw UsageError("\(name) has more than \(maxBytes >> 20) MiB")
        }
      }
    }
  }
}
