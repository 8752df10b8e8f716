"""The tables that the tools close with."""

import sys

MAX_SHOWN = 20
MAX_TEXT = 6000


def print_totals(title, rounds, total, seconds):
    """The sums of all rounds, and each contradiction on standard error."""
    rows = [
        ("rounds", rounds), ("acknowledged", total.acknowledged), ("shown", total.shown),
        ("in flight at the kill", total.in_flight), ("lost", total.lost),
        ("contradictions", len(total.contradictions)),
        ("keys too complex to check", total.unchecked), ("seconds", round(seconds)),
    ]
    print(f"\n{title}")
    for name, value in rows:
        print(f"  {name:26} {value:>10}")
    for line in total.contradictions[:MAX_SHOWN]:
        print(f"contradiction: {line[:MAX_TEXT]}", file=sys.stderr)
    more = len(total.contradictions) - MAX_SHOWN
    if more > 0:
        print(f"… and {more} more", file=sys.stderr)


def print_scenarios(results):
    """(name, verdict, detail) of each; returns how many failed."""
    width = max((len(name) for name, _, _ in results), default=0)
    print()
    for name, verdict, detail in results:
        print(f"  {name:{width}}  {verdict:4}  {detail}")
    failed = sum(verdict == "FAIL" for _, verdict, _ in results)
    skipped = sum(verdict == "skip" for _, verdict, _ in results)
    print(f"{len(results) - failed - skipped} passed, {failed} failed, {skipped} skipped")
    return failed
