/// The version of the server.
public enum RoostVersion {
  /// As in the change log; also in `roost.v1.StatusResponse`.
  public static let current = "0.1.0"
}
