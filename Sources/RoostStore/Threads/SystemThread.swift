import CLinux
import Glibc

/// A thread of the system, for work that blocks. Joined or detached once.
package struct SystemThread {
  private let handle: pthread_t

  /// Starts a thread.
  /// - Parameter name: as `top -H` shows it; at most 15 bytes count.
  /// - Returns: `nil` where the system has none left.
  package static func start(
    _ name: String, _ body: @escaping @Sendable () -> Void
  ) -> SystemThread? {
    var handle = pthread_t()
    let work = Unmanaged.passRetained(Work(name: name, body: body))
    let code = pthread_create(
      &handle, nil,
      { context in
        let work = Unmanaged<Work>.fromOpaque(context!).takeRetainedValue()
        clinux_name_thread(work.name)
        work.body()
        return nil
      }, work.toOpaque())
    if code == 0 { return SystemThread(handle: handle) }
    work.release()
    return nil
  }

  /// Waits until the thread has ended.
  package func join() { pthread_join(handle, nil) }

  /// Leaves the thread to itself.
  package func detach() { pthread_detach(handle) }

  private final class Work: Sendable {
    let name: String
    let body: @Sendable () -> Void
    init(name: String, body: @escaping @Sendable () -> Void) {
      self.name = name
      self.body = body
    }
  }
}
