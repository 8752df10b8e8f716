"""Compares all that was acknowledged and shown with what is found, a round at a time."""

from dataclasses import dataclass, field

import messages
from history import is_change
from idempotency import by_key, effective
from instants import END, PUT, InstantChecker
from keymodel import KeyModel, absent
from keyspace import MORTAL
from linearizability import TooComplex, Violation, check_key
from revisions import RevisionLedger

# What the workload's conditions are refused with.
EXPECTED_ERRORS = {"NOT_FOUND", "ALREADY_EXISTS", "ABORTED"}

# So many calls at a key are shown with a contradiction about it.
CALLS_SHOWN = 12


@dataclass
class Report:
    """What one round showed. `unchecked` keys had too many possible orders."""

    acknowledged: int = 0
    shown: int = 0
    in_flight: int = 0
    lost: int = 0
    oldest_loss_ms: int = 0  # by how much the oldest lost acknowledgement was before the kill
    unchecked: int = 0
    contradictions: list = field(default_factory=list)

    def add(self, other):
        for name in ("acknowledged", "shown", "in_flight", "lost", "unchecked"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.oldest_loss_ms = max(self.oldest_loss_ms, other.oldest_loss_ms)
        self.contradictions += other.contradictions


class Verifier:
    """Kept through all rounds on one data directory.

    `states[key]` are the states that the key can be in after the rounds so far.
    """

    def __init__(self, slack_ms=250, tolerated=()):
        self.model = KeyModel(slack_ms)
        self.states = {}
        self.ledger = RevisionLedger()
        self.instants = InstantChecker()
        self.expected = EXPECTED_ERRORS.union(tolerated)

    def check(self, calls, last_place, in_flight):
        """All calls of one round, from the load to the audit after the restart."""
        pairs, problems = effective(calls, last_place)
        keys = by_key(pairs, last_place)
        report = count(pairs, in_flight)
        report.lost, report.oldest_loss_ms = count_losses(calls, keys)
        report.contradictions += problems
        for call in calls:
            error = call.error or call.doubt
            if error and error[0] not in self.expected:
                report.contradictions.append(f"an error that nothing explains: {call}")
        for key, parts in keys.items():
            before = self.states.get(key) or {absent()}
            try:
                self.states[key] = check_key(self.model, before, parts)
            except Violation as violation:
                near = sorted(
                    (part for part in parts if part.start <= violation.call.end),
                    key=lambda part: part.start)[-CALLS_SHOWN:]
                report.contradictions.append(
                    f"{key}: {violation}\n  before it:\n    "
                    + "\n    ".join(str(part.call) for part in near))
            except TooComplex:
                report.unchecked += 1
                self.states.pop(key)
        report.contradictions += self.ledger.check(pairs)
        report.contradictions += self.instants.check(pairs, keys)
        return report

    def check_prefix(self, calls, last_place, in_flight):
        """Where losses are allowed: what is found must be all that was done up to some revision,
        and what was acknowledged as synced must be there."""
        pairs, problems = effective(calls, last_place)
        keys = by_key(pairs, last_place)
        report = count(pairs, in_flight)
        report.lost, report.oldest_loss_ms = count_losses(calls, keys)
        cut = max([
            call.answer["entry"]["revision"] for call in audits(calls).values()
            if call.answer["found"]] + [0])
        missing = losses(calls, keys)
        first_lost = min(
            [revision for lost in missing.values() for revision, _, _ in lost], default=None)
        for key, lost in missing.items():
            for revision, _, part in lost:
                options = part.call.request.get("options") or {}
                if revision <= cut:
                    problems.append(f"revision {revision} of {key} is lost, {cut} is there")
                elif options.get("durability") == messages.SYNCED:
                    problems.append(f"revision {revision} of {key} was synced, and is lost")
        for call in calls:
            if call.method == "Status" and call.answer and call.tag == "load":
                durable = call.answer["durable_revision"]
                if first_lost is not None and first_lost <= durable:
                    problems.append(f"durable up to {durable} was said, {first_lost} is lost")
        report.contradictions += problems
        return report


def count(pairs, in_flight):
    report = Report(in_flight=in_flight)
    for call, _ in pairs:
        if is_change(call):
            report.acknowledged += 1
        elif not call.is_unknown:
            report.shown += 1
    return report


def audits(calls):
    """The Gets of the first audit, by key."""
    found = {}
    for call in calls:
        if call.tag == "audit" and call.method == "Get" and call.answer:
            found.setdefault(call.request["key"], call)
    return found


def losses(calls, keys):
    """The acknowledged changes of the load that the audit did not find, by key."""
    lost = {}
    for key, audit in audits(calls).items():
        parts = [part for part in keys.get(key, []) if part.start < audit.start]
        changes = sorted(
            ((part.answer["revision"], kind_of(part), part)
             for part in parts
             if not part.optional and part.answer and part.answer.get("revision")
             and part.kind not in ("get", "list_range")),
            key=lambda change: change[0])
        if audit.answer["found"]:
            revision = audit.answer["entry"]["revision"]
            missing = [change for change in changes if change[0] > revision]
        else:
            ends = [place for place, change in enumerate(changes) if change[1] == END]
            maybe_ended = key.startswith(MORTAL) or any(
                part.optional and part.kind in ("delete", "pop") for part in parts)
            missing = [] if maybe_ended else changes[max(ends, default=-1) + 1:]
        missing = [change for change in missing if change[2].call.tag == "load"]
        if missing:
            lost[key] = missing
    return lost


def kind_of(part):
    if part.kind == "delete" or (part.kind == "pop" and part.answer["length"] == 0):
        return END
    return PUT


def count_losses(calls, keys):
    """How many, and by how many milliseconds the oldest was before the kill."""
    lost = losses(calls, keys)
    changes = {part.call for missing in lost.values() for _, _, part in missing}
    if not changes:
        return 0, 0
    killed = max((call.end_ms for call in calls if call.is_unknown and call.end_ms), default=None)
    if killed is None:
        killed = max(call.end_ms for call in calls if call.tag == "load" and call.end_ms)
    return len(changes), killed - min(call.end_ms for call in changes)
