import Glibc

/// Keeps files from getting the numbers of the standard streams.
enum StandardStreams {
  /// Opens /dev/null in the place of those that the program was started without, the wrong way
  /// round: what is written to them, or read from them, still fails with EBADF, as it would have.
  /// Before anything else opens a file.
  static func fillGaps() {
    for descriptor in [STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO]
    where fcntl(descriptor, F_GETFD) < 0 && errno == EBADF {
      // The lowest number that is free, which is this one.
      _ = open("/dev/null", descriptor == STDIN_FILENO ? O_WRONLY : O_RDONLY)
    }
  }
}
