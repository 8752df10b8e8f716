"""What the clients did and saw: the recorded calls, and how they fall to single keys.

Times of calls are places in one sequence that the recorder counts: a call that ended at a lower
place than another began was before it. Unix milliseconds go along only for keys that expire.
"""

import itertools
import time

import messages
from keyspace import page_of

READS = {"get", "list_range"}


class Call:
    """One call. It is answered (`answer`), refused (`error`), or its outcome is not known."""

    def __init__(self, number, method, request, start, tag):
        self.number = number
        self.method = method
        self.request = request
        self.start = start
        self.start_ms = now_ms()
        self.end = None        # place of the answer; for an unknown outcome the kill's
        self.end_ms = None
        self.answer = None
        self.error = None      # (code, text)
        self.doubt = None      # (code, text) of an error that leaves the outcome open
        self.tag = tag         # who made it: the phase of the round
        self.after = None      # for a page of a scan: the key that it begins behind

    @property
    def idempotency_key(self):
        return (self.request.get("options") or {}).get("idempotency_key", b"")

    @property
    def is_weak(self):
        """Acknowledged by less than the server's policy: a crash may lose it."""
        return (self.request.get("options") or {}).get("durability") == messages.MEMORY

    @property
    def is_unknown(self):
        return self.answer is None and self.error is None

    def page(self):
        return page_of(self)

    def __str__(self):
        outcome = self.error or self.doubt or brief(self.answer) or "no answer"
        span = f"{self.start}-{self.end}"
        return f"#{self.number} {self.tag} {span} {self.method} {brief(self.request)} -> {outcome}"


def leaves_open(error):
    """Whether a write that ended with an error may have happened all the same."""
    code, text = error
    if code in ("DEADLINE_EXCEEDED", "CANCELLED"):
        return True
    return code == "UNAVAILABLE" and "not executed" not in text


def brief(part):
    """A message for people: without what is not set, and with long values cut."""
    if isinstance(part, dict):
        kept = {name: brief(value) for name, value in part.items()
                if value is not None and value not in (0, b"", [])}
        return next(iter(kept.values())) if list(kept) in (["text_value"], ["int_value"]) else kept
    if isinstance(part, list):
        return [brief(item) for item in part]
    return part[:24] + b"..." if isinstance(part, bytes) and len(part) > 32 else part


class KeyCall:
    """What one call did or saw at one key."""

    __slots__ = (
        "call", "kind", "request", "answer", "error", "start", "end", "first_ms", "last_ms",
        "optional")

    def __init__(self, call, kind, request, answer=None, error=None, span=None, optional=False):
        self.call = call
        self.kind = kind
        self.request = request
        self.answer = answer
        self.error = error
        self.start, self.end, self.first_ms, self.last_ms = span or span_of(call)
        self.optional = optional  # it may have had no effect at all

    @property
    def is_read(self):
        return self.kind in READS and not self.optional


class Recorder:
    """Takes down all calls of a run. Confined to one thread."""

    def __init__(self):
        self.places = itertools.count(1)
        self.numbers = itertools.count(1)
        self.calls = []
        self.open = set()

    def begin(self, method, request, tag):
        call = Call(next(self.numbers), method, request, next(self.places), tag)
        self.calls.append(call)
        self.open.add(call)
        return call

    def finish(self, call, answer=None, error=None):
        if error and leaves_open(error):
            # It may still take effect, until the server ends.
            call.doubt = error
            return
        call.answer, call.error = answer, error
        call.end, call.end_ms = next(self.places), now_ms()
        self.open.discard(call)

    def crash(self):
        """The server is gone: what has no answer now may have taken effect until here."""
        place, millis = next(self.places), now_ms()
        for call in self.open:
            call.end, call.end_ms = place, millis
        lost = len(self.open)
        self.open.clear()
        return lost

    def take(self):
        """The calls since the last `take`."""
        calls, self.calls = self.calls, []
        return calls


def now_ms():
    return time.time_ns() // 1_000_000


def span_of(call):
    return call.start, call.end, call.start_ms, call.end_ms


def project(call, last_place, span=None, optional=False):
    """The parts of a call by key: a list of (key, KeyCall).

    `last_place` is where an unanswered call of a running server may still take effect.
    """
    span = span or span_of(call)
    if span[1] is None:
        span = (span[0], last_place, span[2], now_ms())
    optional = optional or call.is_unknown or (call.is_weak and call.error is None)
    method, request, answer = call.method, call.request, call.answer
    if method == "Transact":
        return project_transaction(call, span, optional)
    if method == "BatchGet" and answer:
        return [
            (key, KeyCall(call, "get", {"key": key}, result, None, span))
            for key, result in zip(request["keys"], answer["results"])]
    if method == "Scan" and answer:
        keys_only = request.get("keys_only", False)
        return [
            (key, KeyCall(
                call, "get", {"key": key, "keys_only": keys_only},
                {"found": entry is not None, "entry": entry}, None, span))
            for key, entry in call.page()]
    kinds = {
        "Get": "get", "Set": "set", "Delete": "delete", "Increment": "increment",
        "Touch": "touch", "Push": "push", "Pop": "pop", "ListRange": "list_range"}
    if method not in kinds or (optional and kinds[method] in READS):
        return []
    if call.error and call.error[0] == "UNAVAILABLE":
        return []  # it was not executed
    part = KeyCall(call, kinds[method], request, answer, call.error, span, optional)
    return [(request["key"], part)]


def project_transaction(call, span, optional):
    """A failed one did nothing. Of the others each step's part; compares are its keys' reads."""
    if call.error:
        return []
    parts = []
    chosen = call.request["success"]
    if call.answer:
        if not call.answer["succeeded"]:
            chosen = call.request.get("failure", [])
        for compare in call.request.get("compares", []):
            request = {**compare, "holds": call.answer["succeeded"]}
            if len(call.request["compares"]) == 1 or call.answer["succeeded"]:
                parts.append((compare["key"], KeyCall(
                    call, "compare", request, {}, None, span, optional)))
    for place, step in enumerate(chosen):
        (kind, request), = step.items()
        answer = call.answer["results"][place][kind] if call.answer else None
        if kind == "get" and answer is None:
            continue
        parts.append((request["key"], KeyCall(
            call, kind, request, answer, None, span, optional)))
    return parts


def is_change(call):
    """Answered, and with an effect."""
    if not call.answer or call.method in ("Get", "BatchGet", "ListRange", "Scan", "Count"):
        return False
    if call.method in ("Status", "Ping", "Snapshot"):
        return False
    if call.method == "Transact":
        steps = call.request["success" if call.answer["succeeded"] else "failure"]
        changing = [result for step, result in zip(steps, call.answer["results"])
                    if "get" not in step]
        return any(changed(result) for result in changing)
    return call.answer["revision"] != 0


def changed(result):
    return any(part and part.get("revision") for part in result.values())
