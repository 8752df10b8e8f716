import Glibc

/// Nothing reads the other end of standard output any more (`roost scan | head`): the command
/// ends quietly and successfully.
struct OutputClosed: Error {}

/// Writes to a descriptor through a buffer. Confined to the command's task.
struct ByteSink {
  /// Written out when this many bytes wait.
  static let bufferBytes = 64 << 10

  private let descriptor: Int32
  private let name: String
  private var buffer: [UInt8] = []

  /// - Parameter name: What it is, for messages.
  init(descriptor: Int32, name: String = "standard output") {
    self.descriptor = descriptor
    self.name = name
  }

  mutating func write(_ bytes: some Collection<UInt8>) throws {
    buffer.append(contentsOf: bytes)
    if buffer.count >= Self.bufferBytes { try flush() }
  }

  mutating func write(_ text: String) throws { try write(text.utf8) }

  /// - Throws: `OutputClosed`, or `CommandFailure` where the device is full or broken.
  mutating func flush() throws {
    defer { buffer.removeAll(keepingCapacity: true) }
    var offset = 0
    while offset < buffer.count {
      let written = buffer.withUnsafeBytes { bytes in
        Glibc.write(descriptor, bytes.baseAddress! + offset, bytes.count - offset)
      }
      if written >= 0 {
        offset += written
        continue
      }
      switch errno {
      case EINTR: continue
      case EAGAIN: try waitUntilWritable()
      case EPIPE: throw OutputClosed()
      default:
        throw CommandFailure(.other, "\(name) cannot be written: \(SystemText.error(errno))")
      }
    }
  }

  /// A descriptor shared with another program may be non-blocking.
  private func waitUntilWritable() throws {
    var entry = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
    _ = poll(&entry, 1, -1)
  }
}

/// The system's words for an error number.
enum SystemText {
  static func error(_ number: Int32) -> String { String(cString: strerror(number)) }
}
