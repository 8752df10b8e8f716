import Glibc

/// What a finished process left.
struct ProcessResult {
  var status: Int32
  var output: [UInt8]
  var errors: String
}

/// Why a process could not be run.
struct SpawnError: Error {
  var path: String
  var number: Int32
}

/// A folder that goes away with its owner.
final class ScratchFolder: Sendable {
  let path: String

  init() throws {
    var template = Array("\(Scratch.root)/roost-codegen-XXXXXX".utf8CString)
    guard mkdtemp(&template) != nil else { throw SpawnError(path: Scratch.root, number: errno) }
    path = template.withUnsafeBufferPointer { String(cString: $0.baseAddress!) }
  }

  deinit { _ = try? run("/bin/rm", ["-rf", path]) }

  func write(_ bytes: some Sequence<UInt8>, to name: String) throws {
    let file = "\(path)/\(name)"
    guard let stream = fopen(file, "w") else { throw SpawnError(path: file, number: errno) }
    defer { fclose(stream) }
    let bytes = Array(bytes)
    guard fwrite(bytes, 1, bytes.count, stream) == bytes.count else {
      throw SpawnError(path: file, number: errno)
    }
  }

  func read(_ name: String) throws -> [UInt8] { try readFile("\(path)/\(name)") }
}

private enum Scratch {
  static let root = getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp"
}

/// A whole file.
func readFile(_ path: String) throws -> [UInt8] {
  guard let stream = fopen(path, "r") else { throw SpawnError(path: path, number: errno) }
  defer { fclose(stream) }
  var bytes: [UInt8] = []
  var buffer = [UInt8](repeating: 0, count: 64 << 10)
  while case let count = fread(&buffer, 1, buffer.count, stream), count > 0 {
    bytes += buffer[..<count]
  }
  return bytes
}

/// Runs a program to its end, with files as its streams, so that no pipe can fill up.
func run(
  _ program: String, _ arguments: [String], input: [UInt8] = []
) throws -> ProcessResult {
  let files = try (0..<3).map { _ -> UnsafeMutablePointer<FILE> in
    guard let file = tmpfile() else { throw SpawnError(path: Scratch.root, number: errno) }
    return file
  }
  defer { for file in files { fclose(file) } }
  let streams = files.map { fileno($0) }
  _ = input.withUnsafeBytes { pwrite(streams[0], $0.baseAddress, $0.count, 0) }

  var actions = posix_spawn_file_actions_t()
  posix_spawn_file_actions_init(&actions)
  defer { posix_spawn_file_actions_destroy(&actions) }
  for (index, fd) in streams.enumerated() {
    posix_spawn_file_actions_adddup2(&actions, fd, Int32(index))
  }

  var argv = ([program] + arguments).map { strdup($0) } + [nil]
  defer { for argument in argv { free(argument) } }
  var pid = pid_t()
  let failure = posix_spawnp(&pid, program, &actions, nil, &argv, environ)
  guard failure == 0 else { throw SpawnError(path: program, number: failure) }
  var status: Int32 = 0
  while waitpid(pid, &status, 0) < 0 && errno == EINTR {}
  let exited = status & 0x7f == 0
  return ProcessResult(
    status: exited ? (status >> 8) & 0xff : -(status & 0x7f),
    output: try contents(streams[1]),
    errors: String(decoding: try contents(streams[2]), as: UTF8.self))
}

private func contents(_ fd: Int32) throws -> [UInt8] {
  let count = Int(lseek(fd, 0, SEEK_END))
  return [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
    initialized = max(0, pread(fd, buffer.baseAddress, count, 0))
  }
}
