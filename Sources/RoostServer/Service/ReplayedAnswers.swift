import CRoostProtos
import RoostStore

// Answers of calls: the outcome's message, and whether it is an earlier call's. A transaction's
// step does not say that: its transaction does.
extension ReplyArena {
  private var replayed: Int32 { isReplayed ? 1 : 0 }

  func answer(set result: SetResult) -> UnsafeMutablePointer<Roost__V1__SetResponse> {
    let message = message(set: result)
    message.pointee.replayed = replayed
    return message
  }

  func answer(delete result: DeleteResult) -> UnsafeMutablePointer<Roost__V1__DeleteResponse> {
    let message = message(delete: result)
    message.pointee.replayed = replayed
    return message
  }

  func answer(
    increment result: IncrementResult
  ) -> UnsafeMutablePointer<Roost__V1__IncrementResponse> {
    let message = message(increment: result)
    message.pointee.replayed = replayed
    return message
  }

  func answer(push result: PushResult) -> UnsafeMutablePointer<Roost__V1__PushResponse> {
    let message = message(push: result)
    message.pointee.replayed = replayed
    return message
  }

  func answer(pop result: PopResult) -> UnsafeMutablePointer<Roost__V1__PopResponse> {
    let message = message(pop: result)
    message.pointee.replayed = replayed
    return message
  }
}
