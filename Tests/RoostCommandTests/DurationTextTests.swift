import Testing

@testable import roost

@Suite("Spans of time")
struct DurationTextTests {
  @Test(
    "An amount with its unit is that many milliseconds, and several add up",
    arguments: [
      ("1ms", 1), ("250ms", 250), ("90s", 90_000), ("15m", 900_000), ("1h", 3_600_000),
      ("7d", 604_800_000), ("1w", 604_800_000), ("1h30m", 5_400_000), ("1.5h", 5_400_000),
      ("0s", 0), ("1m1m", 120_000), ("0.25s", 250),
    ] as [(String, Int64)])
  func reads(text: String, milliseconds: Int64) throws {
    #expect(try DurationText.milliseconds(text) == milliseconds)
  }

  @Test(
    "What is no span of time is refused with an example of one",
    arguments: ["", "h", "-1s", "1x", "1.2.3s", ".s", "١s", "s1", "1hh"])
  func refuses(text: String) {
    let error = #expect(throws: UsageError.self) { try DurationText.milliseconds(text) }
    #expect(error?.message.contains("write for example") == true)
  }

  @Test(
    "A bare number is refused, and the message offers units", arguments: ["5", "1h30", "0", "1 s"])
  func refusesBareNumbers(text: String) {
    let error = #expect(throws: UsageError.self) { try DurationText.milliseconds(text) }
    #expect(error?.message.contains("has no unit") == true)
  }

  @Test("A span over a hundred years is refused and does not overflow")
  func refusesOverflow() throws {
    #expect(try DurationText.milliseconds("36500d") == DurationText.maxMilliseconds)
    for text in ["36501d", "99999999999999999999d", "9223372036854775807ms", "1e30s", "100w36500d"]
    {
      #expect(throws: UsageError.self) { try DurationText.milliseconds(text) }
    }
  }

  @Test("A lifetime is at least a millisecond")
  func refusesZeroLifetime() {
    #expect(throws: UsageError.self) { try DurationText.positiveMilliseconds("0s") }
  }

  @Test(
    "A shown span has its two longest units and can be read again",
    arguments: [
      (0, "0s"), (1, "1ms"), (9500, "9s500ms"), (59_999, "59s"), (3_598_123, "59m58s"),
      (3_600_000, "1h"), (90_061_000, "1d1h"), (604_800_000, "7d"),
    ] as [(Int64, String)])
  func shows(milliseconds: Int64, text: String) throws {
    #expect(DurationText.text(milliseconds: milliseconds) == text)
    #expect(try DurationText.milliseconds(text) <= milliseconds)
  }
}
