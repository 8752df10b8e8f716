import Synchronization

#if canImport(Glibc)
  import Glibc
#endif

/// Keeps a second server from a directory. Held until `release`, the end of its life, or that of
/// the process.
final class DirectoryLock: Sendable {
  private static let name = "lock"
  /// -1: nothing is held.
  private let descriptor: Atomic<Int32>

  /// - Parameter creates: whether the lock's file is made where there is none; else a directory
  ///   without one counts as not in use.
  init(_ folder: borrowing DataFolder, creates: Bool = true) throws(LogError) {
    let flags = creates ? O_RDWR | O_CREAT | O_CLOEXEC : O_RDONLY | O_CLOEXEC
    let opened = openat(folder.descriptor, Self.name, flags, 0o600)
    let code = errno
    descriptor = Atomic(opened)
    if opened < 0, code == ENOENT, !creates { return }
    guard opened >= 0 else {
      throw .system(operation: "open", file: Self.name, errno: code)
    }
    guard flock(opened, LOCK_EX | LOCK_NB) == 0 else {
      let code = errno
      release()
      if code == EWOULDBLOCK { throw .inUse(directory: folder.path) }
      throw .system(operation: "lock", file: Self.name, errno: code)
    }
  }

  deinit { release() }

  /// Lets others open the directory. More than once is fine.
  func release() {
    let held = descriptor.exchange(-1, ordering: .acquiringAndReleasing)
    if held >= 0 { close(held) }
  }
}
