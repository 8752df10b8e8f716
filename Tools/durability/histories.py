"""Short histories of one key, written by hand, that the linearizability check must judge right.

Each is a name, whether it is linearizable, and calls: (start, end, what, answer). An end is a
place in time; the answer `...` means none: the call was under way at the kill, which was at `end`.
"""

import messages
from history import Call, KeyCall
from keymodel import KeyModel, absent
from linearizability import Violation, check_key

KEY = b"t/0"


def entry(value, revision, version=1, created=None):
    return {
        "found": True, "entry": {
            "value": messages.VALUE.decode(messages.VALUE.encode(messages.message(value))),
            "revision": revision, "create_revision": created or revision, "version": version,
            "created_at_ms": 0, "updated_at_ms": 0, "expires_at_ms": 0}}


def get():
    return "get", {"key": KEY}


def put(value):
    return "set", {"key": KEY, "value": messages.message(value)}


def add(delta):
    return "increment", {"key": KEY, "delta": delta}


def push(*items):
    return "push", {"key": KEY, "items": list(items)}


DELETE = "delete", {"key": KEY}
POP = "pop", {"key": KEY, "end": messages.FRONT}
MISS = {"found": False, "entry": None}


def wrote(revision, created=False):
    return {"revision": revision, "created": created, "previous": None}


def added(value, revision):
    return {"value": value, "revision": revision}


HISTORIES = [
    ("a write and a read", True, [
        (1, 2, put(b"a"), wrote(5, True)), (3, 4, get(), entry(b"a", 5))]),
    ("an acknowledged write is gone after the kill", False, [
        (1, 2, put(b"a"), wrote(5, True)), (4, 5, get(), MISS)]),
    ("a write under way at the kill is there", True, [
        (1, 3, put(b"a"), ...), (4, 5, get(), entry(b"a", 5))]),
    ("a write under way at the kill is not there", True, [
        (1, 3, put(b"a"), ...), (4, 5, get(), MISS)]),
    ("a write under way was shown, and is gone after the kill", False, [
        (1, 4, put(b"a"), ...), (2, 3, get(), entry(b"a", 5)), (5, 6, get(), MISS)]),
    ("a write under way takes effect only after the kill", False, [
        (1, 3, put(b"a"), ...), (4, 5, get(), MISS), (6, 7, get(), entry(b"a", 5))]),
    ("a deletion under way was shown, and the key is back", False, [
        (1, 2, put(b"a"), wrote(5, True)), (3, 6, DELETE, ...), (4, 5, get(), MISS),
        (7, 8, get(), entry(b"a", 5))]),
    ("an older value is back", False, [
        (1, 2, put(b"a"), wrote(5, True)), (3, 4, put(b"b"), wrote(6)),
        (6, 7, get(), entry(b"a", 5))]),
    ("two writes under way, either order", True, [
        (1, 4, put(b"a"), ...), (2, 4, put(b"b"), ...), (5, 6, get(), entry(b"a", 9, 2, 8))]),
    ("two reads see two writes in both orders", False, [
        (1, 9, put(b"a"), wrote(5, True)), (1, 9, put(b"b"), wrote(6)),
        (2, 3, get(), entry(b"b", 6, 2, 5)), (4, 5, get(), entry(b"a", 5))]),
    ("an increment under way counts once", True, [
        (1, 2, add(1), added(1, 5)), (3, 4, add(1), ...), (5, 6, get(), entry(2, 7, 2, 5))]),
    ("an increment under way counts twice", False, [
        (1, 2, add(1), added(1, 5)), (3, 4, add(1), ...), (5, 6, get(), entry(3, 7, 3, 5))]),
    ("two increments have one answer", False, [
        (1, 4, add(1), added(1, 5)), (2, 4, add(1), added(1, 6))]),
    ("an item is popped twice", False, [
        (1, 2, push(b"a", b"b"), {"length": 2, "revision": 5}),
        (3, 4, POP, {"items": [b"a"], "length": 1, "revision": 6}),
        (6, 7, POP, {"items": [b"a"], "length": 1, "revision": 7})]),
    ("a pop under way took its item", True, [
        (1, 2, push(b"a", b"b"), {"length": 2, "revision": 5}), (3, 4, POP, ...),
        (5, 6, POP, {"items": [b"b"], "length": 0, "revision": 9})]),
    ("a list has an item twice", False, [
        (1, 2, push(b"a"), {"length": 1, "revision": 5}),
        (4, 5, push(b"b"), {"length": 3, "revision": 6})]),
    ("a refusal showed a revision that is taken back", False, [
        (1, 2, put(b"a"), wrote(5, True)), (3, 7, put(b"b"), ...),
        (4, 5, ("set", {"key": KEY, "value": messages.message(b"c"),
                        "condition": {"revision": 5}}),
         ("ABORTED", "the key's revision is 6: read it again, then retry")),
        (8, 9, get(), entry(b"a", 5))]),
    ("a revision goes back", False, [
        (1, 2, put(b"a"), wrote(5, True)), (4, 5, put(b"b"), wrote(4))]),
    ("a version is not counted on", False, [
        (1, 2, put(b"a"), wrote(5, True)), (3, 4, put(b"b"), wrote(6)),
        (6, 7, get(), entry(b"b", 6, 1, 6))]),
]


def judge(calls):
    """Whether the check finds the calls linearizable."""
    parts = []
    for number, (start, end, (kind, request), answer) in enumerate(calls):
        call = Call(number, kind, request, start, "by hand")
        call.end = end
        refused = answer if isinstance(answer, tuple) else None
        given = None if answer is ... or refused else answer
        call.answer, call.error = given, refused
        parts.append(KeyCall(
            call, kind, request, given, refused, (start, end, 0, 0), answer is ...))
    try:
        return bool(check_key(KeyModel(), {absent()}, parts))
    except Violation:
        return False


def main():
    failures = 0
    for name, is_linearizable, calls in HISTORIES:
        passed = judge(calls) == is_linearizable
        failures += not passed
        kind = "accepted" if is_linearizable else "rejected"
        print(f"{'pass' if passed else 'FAIL'}  by hand, must be {kind}: {name}")
    return failures
