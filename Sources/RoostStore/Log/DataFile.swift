import CLinux

#if canImport(Glibc)
  import Glibc
#endif

/// One open file of a data directory. Closed at the end of its life.
struct DataFile: ~Copyable {
  let descriptor: Int32
  /// Without its folder; errors name it so.
  let name: String

  /// - Parameter flags: as for open(2); O_CLOEXEC is added. A new file is readable by its owner.
  init(_ directory: borrowing DataFolder, _ name: String, flags: Int32) throws(LogError) {
    self.name = name
    descriptor = openat(directory.descriptor, name, flags | O_CLOEXEC, 0o600)
    if descriptor < 0 { throw .system(operation: "open", file: name, errno: errno) }
  }

  deinit { close(descriptor) }

  func fail(_ operation: String, _ code: Int32) -> LogError {
    .system(operation: operation, file: name, errno: code)
  }

  func byteCount() throws(LogError) -> Int64 {
    var status = stat()
    guard fstat(descriptor, &status) == 0 else { throw fail("fstat", errno) }
    return Int64(status.st_size)
  }

  /// Reads up to `target.count` bytes; fewer only at the file's end.
  func read(into target: UnsafeMutableRawBufferPointer, at offset: Int64) throws(LogError) -> Int {
    var done = 0
    while done < target.count {
      let count = pread(
        descriptor, target.baseAddress! + done, target.count - done, off_t(offset) + done)
      if count == 0 { break }
      if count < 0 {
        if errno == EINTR { continue }
        throw fail("read", errno)
      }
      done += count
    }
    return done
  }

  /// Writes all bytes, or throws: after a short write too, since the file's tail is then unknown.
  func write(_ bytes: UnsafeRawBufferPointer, at offset: Int64) throws(LogError) {
    guard let base = bytes.baseAddress, bytes.count > 0 else { return }
    while true {
      let count = pwrite(descriptor, base, bytes.count, off_t(offset))
      if count == bytes.count { return }
      if count >= 0 { throw fail("write (\(count) of \(bytes.count) bytes)", ENOSPC) }
      if errno != EINTR { throw fail("write", errno) }
    }
  }

  func sync() throws(LogError) {
    // Not repeated where it fails: what the kernel dropped is gone (PostgreSQL's fsyncgate, 2018).
    if fdatasync(descriptor) != 0 { throw fail("fdatasync", errno) }
  }

  func truncate(to bytes: Int64) throws(LogError) {
    if ftruncate(descriptor, off_t(bytes)) != 0 { throw fail("truncate", errno) }
  }
}

/// An open data directory.
struct DataFolder: ~Copyable {
  let descriptor: Int32
  let path: String

  init(_ path: String) throws(LogError) {
    self.path = path
    descriptor = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    if descriptor < 0 { throw .system(operation: "open", file: path, errno: errno) }
  }

  deinit { close(descriptor) }

  /// Makes it, for its owner alone, where there is none; durably, since its files are nothing
  /// without it.
  static func create(_ path: String) throws(LogError) {
    if mkdir(path, 0o700) == 0 { return try DataFolder(path + "/..").sync() }
    if errno != EEXIST { throw .system(operation: "mkdir", file: path, errno: errno) }
  }

  /// The names in it, sorted.
  func names() throws(LogError) -> [String] {
    // A descriptor of its own: closedir closes it.
    let copy = openat(descriptor, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard copy >= 0, let stream = fdopendir(copy) else {
      throw .system(operation: "open", file: path, errno: errno)
    }
    defer { closedir(stream) }
    var names: [String] = []
    errno = 0
    while let entry = readdir(stream) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) {
        $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      }
      if name != "." && name != ".." { names.append(name) }
      errno = 0
    }
    if errno != 0 { throw .system(operation: "read", file: path, errno: errno) }
    return names.sorted()
  }

  /// Makes the creation, renaming and removal of its files durable.
  func sync() throws(LogError) {
    if fsync(descriptor) != 0 { throw .system(operation: "fsync", file: path, errno: errno) }
  }

  func remove(_ name: String) throws(LogError) {
    if unlinkat(descriptor, name, 0) != 0 && errno != ENOENT {
      throw .system(operation: "unlink", file: name, errno: errno)
    }
  }

  func rename(_ name: String, to other: String) throws(LogError) {
    if renameat(descriptor, name, descriptor, other) != 0 {
      throw .system(operation: "rename", file: name, errno: errno)
    }
  }
}
