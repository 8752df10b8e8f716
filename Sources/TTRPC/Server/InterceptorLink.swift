/// A loop's interceptors, the first before the others. A list of constants, so that walking it
/// counts no references.
final class InterceptorLink {
  private let interceptor: any ServerInterceptor
  private let next: InterceptorLink?

  /// `nil`: there are none.
  init?(_ interceptors: ArraySlice<any ServerInterceptor>) {
    guard let first = interceptors.first else { return nil }
    interceptor = first
    next = InterceptorLink(interceptors.dropFirst())
  }

  /// What the first says that does not let the call proceed.
  @inline(never)
  func intercept(_ call: UnsafeMutablePointer<InlineCall>) -> Decision {
    let decision = interceptor.intercept(&call.pointee)
    guard case .proceed = decision, let next else { return decision }
    return next.intercept(call)
  }
}
