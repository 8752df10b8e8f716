import Glibc

/// Reads a file or a stream line by line, without its line breaks. Confined to one task, whose
/// thread waits for a stream that has nothing to give, in steps of `pollMillis`.
struct LineReader {
  /// A list of 64 MiB and 1,000,000 items takes less, however its bytes are escaped.
  static let maxLineBytes = 512 << 20
  private static let chunkBytes = 256 << 10
  /// How soon an interrupt is seen while a stream gives nothing.
  private static let pollMillis: Int32 = 100

  private let descriptor: Int32
  private let name: String
  /// For messages and percentages; `nil`: a stream, whose length nobody knows.
  let totalBytes: Int64?
  /// Of the lines that were given out, with their line breaks.
  private(set) var consumedBytes: Int64 = 0
  /// Of the line that was given out last, from 1; 0: none was.
  private(set) var lineNumber = 0

  /// Longer than what it holds, so that a read does not make room first.
  private var buffer: [UInt8] = []
  /// What it holds ends here.
  private var filled = 0
  /// Where the next line begins in the buffer.
  private var start = 0
  /// Before this no line break follows `start`.
  private var searched = 0
  private var isAtEnd = false

  /// - Parameter path: `-` is standard input. The file stays open until the process ends.
  init(path: String) throws(UsageError) {
    name = path == "-" ? "standard input" : "'\(path)'"
    descriptor = path == "-" ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else {
      throw UsageError("\(name) cannot be read: \(SystemText.error(errno))")
    }
    var status = stat()
    let isFile = fstat(descriptor, &status) == 0 && status.st_mode & S_IFMT == S_IFREG
    totalBytes = isFile ? Int64(status.st_size) : nil
  }

  /// - Returns: `nil` at the end.
  /// - Throws: `Interrupted`; `UsageError` where it cannot be read, or a line is too long.
  mutating func next() throws -> [UInt8]? {
    while true {
      if let end = lineBreak() {
        return take(upTo: end, breakBytes: 1)
      }
      searched = filled
      if isAtEnd { return start < filled ? take(upTo: filled, breakBytes: 0) : nil }
      guard filled - start < Self.maxLineBytes else {
        throw UsageError("line \(lineNumber + 1) is longer than \(Self.maxLineBytes >> 20) MiB")
      }
      try fill()
    }
  }

  private func lineBreak() -> Int? {
    buffer.withUnsafeBytes { bytes in
      guard searched < filled, let base = bytes.baseAddress,
        let found = memchr(base + searched, 0x0a, filled - searched)
      else { return nil }
      return UnsafeRawPointer(found) - base
    }
  }

  private mutating func take(upTo end: Int, breakBytes: Int) -> [UInt8] {
    defer {
      consumedBytes += Int64(end + breakBytes - start)
      start = end + breakBytes
      searched = start
      lineNumber += 1
    }
    return Array(buffer[start..<end])
  }

  private mutating func fill() throws {
    if totalBytes == nil { try waitUntilReadable() }
    try Interrupt.check()
    makeRoom()
    var length = -1
    repeat {
      length = buffer.withUnsafeMutableBytes { bytes in
        read(descriptor, bytes.baseAddress! + filled, bytes.count - filled)
      }
    } while length < 0 && errno == EINTR
    if length < 0, errno == EAGAIN { return }
    guard length >= 0 else {
      throw UsageError("\(name) cannot be read: \(SystemText.error(errno))")
    }
    filled += length
    isAtEnd = length == 0
  }

  /// For a read, behind what is left of the lines before.
  private mutating func makeRoom() {
    if start > 0 {
      buffer.withUnsafeMutableBytes { bytes in
        guard let base = bytes.baseAddress else { return }
        _ = memmove(base, base + start, filled - start)
      }
      filled -= start
      searched -= start
      start = 0
    }
    // A long line doubles the buffer, so that its bytes are moved a few times only.
    if buffer.count - filled < Self.chunkBytes / 2 {
      buffer.append(contentsOf: repeatElement(0, count: max(Self.chunkBytes, buffer.count)))
    }
  }

  private func waitUntilReadable() throws {
    var entry = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
    while poll(&entry, 1, Self.pollMillis) == 0 { try Interrupt.check() }
  }
}
