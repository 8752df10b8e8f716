import CLinux
import Glibc

/// Runs work on several threads and waits for all of them.
enum ParallelWork {
  private struct Task {
    let worker: Int
    let body: (Int) -> Void
  }

  /// The processors that this process may use, at most `limit`.
  static func workerCount(limit: Int = 16) -> Int {
    min(max(Int(clinux_processor_count()), 1), limit)
  }

  /// Calls `body` with each number below `workers`, each on a thread of its own; the last on the
  /// calling one.
  static func run(workers: Int, _ body: (Int) -> Void) {
    withoutActuallyEscaping(body) { body in
      let tasks = UnsafeMutablePointer<Task>.allocate(capacity: workers)
      defer {
        tasks.deinitialize(count: workers)
        tasks.deallocate()
      }
      for worker in 0..<workers {
        (tasks + worker).initialize(to: Task(worker: worker, body: body))
      }
      var threads: [pthread_t] = []
      for worker in 0..<workers - 1 {
        var thread = pthread_t()
        let code = pthread_create(
          &thread, nil,
          { context in
            let task = context!.assumingMemoryBound(to: Task.self).pointee
            task.body(task.worker)
            return nil
          }, tasks + worker)
        guard code == 0 else {
          body(worker)
          continue
        }
        threads.append(thread)
      }
      body(workers - 1)
      for thread in threads { pthread_join(thread, nil) }
    }
  }
}
