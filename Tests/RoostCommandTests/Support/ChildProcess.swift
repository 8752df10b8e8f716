import Glibc
import Synchronization

/// Programs that tests start: arguments and streams are bytes, and nothing lives longer than its
/// test allows.
struct ChildProcess {
  /// What a program left behind.
  struct Outcome: CustomStringConvertible {
    /// The exit status, or 128 and the signal that ended it.
    let status: Int32
    let output: [UInt8]
    let errorOutput: [UInt8]

    var text: String { String(decoding: output, as: UTF8.self) }
    var errorText: String { String(decoding: errorOutput, as: UTF8.self) }
    var description: String { "status \(status)\n\(text)\n\(errorText)" }
  }

  enum Failure: Error {
    case system(String, Int32)
    case timedOut(outputSoFar: String, errorSoFar: String)
  }

  /// A program that takes longer has hung.
  static let timeoutMillis: Int64 = 60_000

  let pid: pid_t

  /// The program of this name beside the test bundle.
  static func builtProgram(_ name: String) -> String {
    var buffer = [UInt8](repeating: 0, count: Int(PATH_MAX))
    let count = buffer.withUnsafeMutableBytes { bytes in
      readlink("/proc/self/exe", bytes.baseAddress!, bytes.count)
    }
    let bundle = String(decoding: buffer[..<max(0, count)], as: UTF8.self)
    let directory = bundle.lastIndex(of: "/").map { bundle[..<$0] } ?? "."
    return "\(directory)/\(name)"
  }

  /// - Parameter streams: Descriptors for 0, 1 and 2.
  init(
    _ program: String, _ arguments: [[UInt8]], environment: [String: String], streams: [Int32]
  ) throws {
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    for (target, descriptor) in streams.enumerated() {
      posix_spawn_file_actions_adddup2(&actions, descriptor, Int32(target))
    }
    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    // This process ignores SIGPIPE, and in the background SIGINT; the program must get by with the
    // defaults.
    var defaults = sigset_t()
    sigemptyset(&defaults)
    sigaddset(&defaults, SIGPIPE)
    sigaddset(&defaults, SIGINT)
    posix_spawnattr_setsigdefault(&attributes, &defaults)
    posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGDEF))

    let words = ([Array(program.utf8)] + arguments).map(Self.cString)
    let variables = environment.map { Self.cString(Array("\($0)=\($1)".utf8)) }
    defer { for pointer in words + variables { pointer.deallocate() } }
    var pid: pid_t = 0
    let result = Self.spawning.withLock { _ in
      posix_spawn(
        &pid, program, &actions, &attributes, words.map(Optional.init) + [nil],
        variables.map(Optional.init) + [nil])
    }
    guard result == 0 else { throw Failure.system("posix_spawn \(program)", result) }
    self.pid = pid
  }

  /// Waits for the end.
  func wait() -> Int32 {
    var status: Int32 = 0
    while waitpid(pid, &status, 0) < 0, errno == EINTR {}
    let signal = status & 0x7f
    return signal == 0 ? status >> 8 & 0xff : 128 + signal
  }

  /// Runs a program to its end.
  ///
  /// - Parameters:
  ///   - input: Standard input.
  ///   - maxOutputBytes: Standard output is closed once this many bytes were read.
  static func run(
    _ program: String, _ arguments: [[UInt8]], environment: [String: String], input: [UInt8] = [],
    maxOutputBytes: Int = .max
  ) throws -> Outcome {
    signal(SIGPIPE, SIG_IGN)
    let (inputReader, inputWriter) = try pipe()
    let (outputReader, outputWriter) = try pipe()
    let (errorReader, errorWriter) = try pipe()
    let streams = [inputReader, outputWriter, errorWriter]
    let child = try ChildProcess(program, arguments, environment: environment, streams: streams)
    for descriptor in streams { close(descriptor) }
    var exchange = StreamExchange(
      input: input, inputWriter: inputWriter, outputReader: outputReader,
      errorReader: errorReader, maxOutputBytes: maxOutputBytes)
    guard exchange.run(timeoutMillis: timeoutMillis) else {
      kill(child.pid, SIGKILL)
      _ = child.wait()
      throw Failure.timedOut(
        outputSoFar: String(decoding: exchange.output, as: UTF8.self),
        errorSoFar: String(decoding: exchange.errorOutput, as: UTF8.self))
    }
    return Outcome(
      status: child.wait(), output: exchange.output, errorOutput: exchange.errorOutput)
  }

  /// Both ends are closed in programs that are started.
  static func pipe() throws -> (reader: Int32, writer: Int32) {
    var ends: [Int32] = [0, 0]
    let result = spawning.withLock { _ in
      let result = Glibc.pipe(&ends)
      for descriptor in ends { _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC) }
      return result
    }
    guard result == 0 else { throw Failure.system("pipe", errno) }
    return (ends[0], ends[1])
  }

  /// Held while a program starts, and while descriptors exist that it must not inherit.
  static let spawning = Mutex(())

  private static func cString(_ bytes: [UInt8]) -> UnsafeMutablePointer<CChar> {
    let pointer = UnsafeMutablePointer<CChar>.allocate(capacity: bytes.count + 1)
    for (index, byte) in bytes.enumerated() { pointer[index] = CChar(bitPattern: byte) }
    pointer[bytes.count] = 0
    return pointer
  }
}

/// Feeds a program's standard input and drains its outputs, all at once, so that no pipe that is
/// full holds up the other ones.
struct StreamExchange {
  private(set) var output: [UInt8] = []
  private(set) var errorOutput: [UInt8] = []
  private var input: ArraySlice<UInt8>
  private var inputWriter: Int32
  private var outputReader: Int32
  private var errorReader: Int32
  private let maxOutputBytes: Int

  init(
    input: [UInt8], inputWriter: Int32, outputReader: Int32, errorReader: Int32,
    maxOutputBytes: Int
  ) {
    self.input = input[...]
    self.inputWriter = inputWriter
    self.outputReader = outputReader
    self.errorReader = errorReader
    self.maxOutputBytes = maxOutputBytes
    _ = fcntl(inputWriter, F_SETFL, O_NONBLOCK)
  }

  /// Until both outputs have ended.
  /// - Returns: `false`: the time passed first.
  mutating func run(timeoutMillis: Int64) -> Bool {
    let clock = ContinuousClock()
    let deadline = clock.now + .milliseconds(timeoutMillis)
    while outputReader >= 0 || errorReader >= 0 {
      if clock.now > deadline {
        for descriptor in [inputWriter, outputReader, errorReader] where descriptor >= 0 {
          close(descriptor)
        }
        return false
      }
      var entries = [
        pollfd(fd: inputWriter, events: Int16(POLLOUT), revents: 0),
        pollfd(fd: outputReader, events: Int16(POLLIN), revents: 0),
        pollfd(fd: errorReader, events: Int16(POLLIN), revents: 0),
      ]
      guard poll(&entries, 3, 100) > 0 else { continue }
      if entries[0].revents != 0 { writeInput() }
      if entries[1].revents != 0 { Self.read(&outputReader, into: &output) }
      if entries[2].revents != 0 { Self.read(&errorReader, into: &errorOutput) }
      if output.count >= maxOutputBytes, outputReader >= 0 {
        close(outputReader)
        outputReader = -1
      }
    }
    if inputWriter >= 0 { close(inputWriter) }
    return true
  }

  private mutating func writeInput() {
    let written = input.withUnsafeBytes { write(inputWriter, $0.baseAddress, $0.count) }
    if written > 0 { input = input.dropFirst(written) }
    let isBroken = written < 0 && errno != EAGAIN && errno != EINTR
    if input.isEmpty || isBroken {
      close(inputWriter)
      inputWriter = -1
    }
  }

  private static func read(_ descriptor: inout Int32, into bytes: inout [UInt8]) {
    var buffer = [UInt8](repeating: 0, count: 64 << 10)
    let count = Glibc.read(descriptor, &buffer, buffer.count)
    if count > 0 { bytes += buffer[..<count] }
    // A pseudo-terminal whose other side has closed fails with EIO.
    if count == 0 || (count < 0 && errno != EINTR && errno != EAGAIN) {
      close(descriptor)
      descriptor = -1
    }
  }
}
