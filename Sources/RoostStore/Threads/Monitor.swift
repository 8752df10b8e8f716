import Glibc

/// A lock with a condition to wait for. Waits are on the monotonic clock, so that a step of the
/// wall clock moves none of them.
///
/// `@unchecked Sendable`: both are made to be used from any thread.
package final class Monitor: @unchecked Sendable {
  private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
  private let condition = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)

  package init() {
    mutex.initialize(to: pthread_mutex_t())
    pthread_mutex_init(mutex, nil)
    condition.initialize(to: pthread_cond_t())
    var attributes = pthread_condattr_t()
    pthread_condattr_init(&attributes)
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
    pthread_cond_init(condition, &attributes)
    pthread_condattr_destroy(&attributes)
  }

  deinit {
    pthread_cond_destroy(condition)
    pthread_mutex_destroy(mutex)
    condition.deallocate()
    mutex.deallocate()
  }

  package func locked<Value>(_ body: () -> Value) -> Value {
    pthread_mutex_lock(mutex)
    defer { pthread_mutex_unlock(mutex) }
    return body()
  }

  /// Lets the lock go until another thread wakes this one, or, now and then, for no reason.
  /// Within `locked`.
  /// - Parameter nanos: `MonotonicTime`'s, at which it wakes by itself.
  /// - Returns: `false`: that time has come.
  package func wait(until nanos: UInt64) -> Bool {
    var end = timespec(tv_sec: Int(nanos / 1_000_000_000), tv_nsec: Int(nanos % 1_000_000_000))
    return pthread_cond_timedwait(condition, mutex, &end) != ETIMEDOUT
  }

  /// As `wait(until:)`, from now.
  @discardableResult
  package func wait(millis: Int64) -> Bool {
    wait(until: MonotonicTime.nanos() + UInt64(millis) * 1_000_000)
  }

  /// Wakes one thread that waits.
  package func wakeOne() { pthread_cond_signal(condition) }

  /// Wakes all threads that wait.
  package func wakeAll() { pthread_cond_broadcast(condition) }
}
