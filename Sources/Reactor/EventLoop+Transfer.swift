import CLinux
import TTRPC

#if canImport(Glibc)
  import Glibc
#endif

// Bytes in and out. Each connection has one read and one write in a tick.
extension EventLoop {
  /// Where bytes may go that nobody needs.
  var scratch: UnsafeMutableRawPointer { input + (Self.inputBytes - Self.readBytes) }

  /// Reads once, into the tick's input.
  @inline(__always)
  func receive(_ connection: UnsafeMutablePointer<Connection>, _ events: UInt32) {
    let machine = connection.pointee.machine
    guard connection.pointee.interest & EPOLLIN.rawValue != 0 else {
      return receivedUnasked(connection, events)
    }
    let start = input + inputUsed
    let count = read(connection.pointee.descriptor, start, Self.readBytes)
    guard count > 0 else { return receivedNothing(connection, count) }
    inputUsed &+= count
    connection.pointee.progressNanos = nowNanos
    let frames = tick.receive(UnsafeRawBufferPointer(start: start, count: count), on: machine)
    if frames > 0 { connection.pointee.activeNanos = nowNanos }
  }

  /// On a connection that is paused or closing. Bytes may have been reported before it was; errors
  /// are reported without being asked for.
  @inline(never)
  private func receivedUnasked(
    _ connection: UnsafeMutablePointer<Connection>, _ events: UInt32
  ) {
    if events & (EPOLLERR.rawValue | EPOLLHUP.rawValue) != 0 {
      tick.abandon(connection.pointee.machine, .peerClosed)
    }
  }

  @inline(never)
  private func receivedNothing(_ connection: UnsafeMutablePointer<Connection>, _ count: Int) {
    let machine = connection.pointee.machine
    if count == 0 {
      // Calls that came before are still executed and answered: the peer may read. Whether it has
      // only stopped sending, or is gone, a TCP socket tells when something is sent.
      connection.pointee.progressNanos = nowNanos
      tick.close(machine, .peerClosed)
    } else if errno != EAGAIN && errno != EINTR {
      tick.abandon(machine, .peerClosed)
    }
  }

  /// Writes once, and decides how the connection goes on.
  @inline(__always)
  func send(_ connection: UnsafeMutablePointer<Connection>) {
    let machine = connection.pointee.machine
    let unsent = machine.pointee.unsent
    if unsent.count > 0 {
      let count = Glibc.send(
        connection.pointee.descriptor, unsent.baseAddress, unsent.count,
        Int32(MSG_NOSIGNAL))
      if count > 0 {
        machine.pointee.didSend(count)
        connection.pointee.progressNanos = nowNanos
        connection.pointee.activeNanos = nowNanos
      } else if count < 0 && errno != EAGAIN && errno != EINTR {
        machine.pointee.abandon(.peerClosed)
      }
    }
    // The usual case: all was sent, and the connection waits for the next request.
    if machine.pointee.isOpenAndEmpty && connection.pointee.interest == EPOLLIN.rawValue { return }
    goOn(connection)
  }

  /// After a write that left bytes behind, or on a connection that was paused or is closing.
  @inline(never)
  private func goOn(_ connection: UnsafeMutablePointer<Connection>) {
    let machine = connection.pointee.machine
    if machine.pointee.unsentBytes > configuration.limits.maxUnreadBytes {
      machine.pointee.abandon(.unreadAnswers)
    }
    if machine.pointee.isAtEnd { return shut(connection) }
    if machine.pointee.hasBacklog && !tick.isPaused(machine) && !connection.pointee.isResuming {
      connection.pointee.isResuming = true
      resuming.append(connection)
    }
    // While an exclusive call is in flight, input is wanted until a frame has to wait for it.
    let wantsInput =
      machine.pointee.closeReason == nil && !machine.pointee.hasBacklog
      && machine.pointee.unreadBytes < configuration.limits.pauseBytes
    var interest: UInt32 = wantsInput ? EPOLLIN.rawValue : 0
    if machine.pointee.unsentBytes > 0 { interest |= EPOLLOUT.rawValue }
    guard interest != connection.pointee.interest else { return }
    connection.pointee.interest = interest
    _ = clinux_epoll_set(
      epoll, EPOLL_CTL_MOD, connection.pointee.descriptor, interest,
      UInt64(UInt(bitPattern: connection)))
  }
}
