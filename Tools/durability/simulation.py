"""A server in this process, for the self tests: right by default, wrong in one way when told so.

It appends each change to a list, answers when that is "durable" up to the change, and rebuilds
itself from the list at a start. `FAULTS` are the ways to be wrong; each must be found.
"""

import asyncio
import copy

import messages
from history import now_ms
from wire import CallFailed, ConnectionLost

FAULTS = {
    "acknowledged writes are lost": "the log loses durable records at a crash",
    "deletions are not replayed": "a deleted key is back after a start",
    "a change is replayed twice": "counters and lists have a change twice",
    "a list loses an item": "one item of a list is gone after a start",
    "a list is reordered": "two items of a list are swapped after a start",
    "values do not wait": "a read shows a value that a crash takes back",
    "absences do not wait": "a read shows an absence that a crash takes back",
    "errors do not wait": "a refused condition shows a revision that a crash takes back",
    "batches do not wait": "batch reads, scans and counts show what a crash takes back",
    "transactions are torn": "a crash leaves half of a transaction",
    "revisions are issued again": "revisions go on below those that were issued",
    "repetitions are executed": "idempotency records are gone after a start",
    "repetitions answer anew": "a replayed answer has another revision",
    "lifetimes are forgotten": "keys that expire are permanent after a start",
    "lifetimes are shortened": "keys that expire vanish early after a start",
    "versions are forgotten": "versions begin at 1 after a start",
    "batches see two instants": "a batch read is not one instant",
    "increments race": "two increments at once count once",
}

# A disk's, so that there is something under way at a crash.
SYNC_SECONDS = 0.012


class SimulatedServer:
    """Confined to one asyncio loop. `records` and `issued` outlive it, as a disk does."""

    def __init__(self, rng, fault=None, records=(), issued=0):
        self.rng = rng
        self.fault = fault
        self.records = list(records)
        self.durable = len(self.records)
        self.closed = False
        self.is_syncing = False
        self.remembered = {}
        self.entries = {}
        self.revision = issued
        for record in self.records:
            self.replay(record)
        if records:
            self.spoil_start()

    # Recovery.

    def replay(self, record):
        changes, remembered = record
        for key, entry in changes.items():
            if entry is None:
                if not (self.fault == "deletions are not replayed" and self.rng.random() < 0.2):
                    self.entries.pop(key, None)
            else:
                self.entries[key] = copy.copy(entry)
        if remembered and self.fault != "repetitions are executed":
            self.remembered[remembered[0]] = remembered[1]

    def spoil_start(self):
        fault = self.fault
        for key, entry in self.entries.items():
            value, mortal = entry["value"], entry["ends"]
            if fault == "a change is replayed twice" and self.rng.random() < 0.3:
                if isinstance(value, int):
                    entry["value"] = value + 1
                elif isinstance(value, tuple):
                    entry["value"] = value + value[-1:]
            elif fault == "a list loses an item" and isinstance(value, tuple):
                entry["value"] = value[1:] or value
            elif fault == "a list is reordered" and isinstance(value, tuple):
                entry["value"] = value[::-1]
            elif fault == "lifetimes are forgotten" and mortal:
                entry["ends"] = 0
            elif fault == "lifetimes are shortened" and mortal:
                entry["ends"] -= 2000
            elif fault == "versions are forgotten":
                entry["version"] = 1

    def crash(self):
        """Ends it. Returns the server that a restart finds."""
        self.closed = True
        cut = self.rng.randint(self.durable, len(self.records))
        if self.fault == "acknowledged writes are lost":
            cut = max(0, self.durable - 5)
        kept = self.records[:cut]
        if self.fault == "transactions are torn":
            place = next((place for place in range(cut, len(self.records))
                          if len(self.records[place][0]) > 1), None)
            if place is not None:
                changes, _ = self.records[place]
                half = dict(list(changes.items())[:1])
                kept = self.records[:place] + [(half, None)]
        issued = self.revision + 100
        if self.fault == "revisions are issued again":
            issued = self.revision - 20
        return SimulatedServer(self.rng, self.fault, kept, issued)

    # Calls.

    async def call(self, method, request):
        await self.pause()
        shown, answer = None, None
        if method == "BatchGet" and self.fault == "batches see two instants":
            answer = await self.batch_slowly(request)
        elif method == "Increment" and self.fault == "increments race":
            answer = await self.increment_slowly(request)
        else:
            try:
                answer = self.perform(method, request)
            except CallFailed as error:
                shown = error
        if not self.skips_wait(method, answer):
            await self.sync(len(self.records))
        if self.closed:
            raise ConnectionLost("killed")
        if shown:
            raise shown
        return answer

    async def sync(self, place):
        """Group commit: one caller syncs for all, the others look whether it covered them."""
        while self.durable < place and not self.closed:
            if not self.is_syncing:
                self.is_syncing = True
                covered = len(self.records)
                await asyncio.sleep(SYNC_SECONDS * (0.5 + self.rng.random()))
                if not self.closed:
                    self.durable = covered
                self.is_syncing = False
            else:
                await asyncio.sleep(SYNC_SECONDS / 8)

    async def pause(self):
        await asyncio.sleep(self.rng.random() * 0.004)
        if self.closed:
            raise ConnectionLost("killed")

    def skips_wait(self, method, answer):
        if method in ("Get", "ListRange"):
            fault = "values do not wait" if answer["found"] else "absences do not wait"
            return self.fault == fault
        if answer is None:
            return self.fault == "errors do not wait"
        return self.fault == "batches do not wait" and method in ("BatchGet", "Scan", "Count")

    def perform(self, method, request):
        options = request.get("options") or {}
        name = options.get("idempotency_key")
        if name and name in self.remembered:
            answer = {**self.remembered[name], "replayed": True}
            if self.fault == "repetitions answer anew":
                answer["revision"] += 1
            return answer
        if method == "Transact":
            return self.transact(request, name)
        answer, changes = getattr(self, method.lower())(request, self.find)
        self.commit(answer, changes, name)
        return answer

    def commit(self, answer, changes, name=None):
        if not changes:
            return
        self.revision += 1
        answer["revision"] = self.revision
        for key, entry in changes.items():
            if entry is None:
                self.entries.pop(key, None)
                continue
            entry["revision"] = self.revision
            entry["create"] = entry["create"] or self.revision
            self.entries[key] = entry
        saved = {key: copy.copy(entry) for key, entry in changes.items()}
        self.records.append((saved, (name, answer) if name else None))
        if name:
            self.remembered[name] = answer

    def find(self, key):
        entry = self.entries.get(key)
        return None if entry is None or 0 < entry["ends"] <= now_ms() else entry

    def transact(self, request, name):
        holds = all(
            stops(self.find(each["key"]), each["condition"]) is None
            for each in request.get("compares", []))
        changes, results = {}, []

        def find(key):
            return changes[key] if key in changes else self.find(key)

        for step in request["success" if holds else "failure"]:
            (kind, part), = step.items()
            answer, change = getattr(self, kind)(part, find)
            changes.update(change)
            results.append({kind: answer})
        answer = {"succeeded": holds, "results": results, "revision": self.revision,
                  "replayed": False}
        self.commit(answer, changes, name)
        for result in results:
            for part in result.values():
                if part.get("revision") == -1:
                    part["revision"] = self.revision
        return answer

    async def batch_slowly(self, request):
        half = len(request["keys"]) // 2
        first = [self.shown(key, self.find) for key in request["keys"][:half]]
        await self.pause()
        second = [self.shown(key, self.find) for key in request["keys"][half:]]
        return {"results": first + second, "revision": self.revision}

    async def increment_slowly(self, request):
        entry = copy.copy(self.find(request["key"]))
        await self.pause()
        answer, changes = self.increment(request, lambda key: entry)
        self.commit(answer, changes)
        return answer

    # The methods: each returns its answer and what it changes, by key. A revision of -1 in an
    # answer becomes the change's.

    def shown(self, key, find):
        entry = find(key)
        return {"found": entry is not None, "entry": entry and as_entry(b"", entry)}

    def get(self, request, find):
        return self.shown(request["key"], find), {}

    def batchget(self, request, find):
        results = [self.shown(key, find) for key in request["keys"]]
        return {"results": results, "revision": self.revision}, {}

    def listrange(self, request, find):
        entry = find(request["key"])
        if entry is None:
            return {"found": False, "items": [], "length": 0, "revision": 0}, {}
        items = list(entry["value"])
        return {"found": True, "items": items, "length": len(items),
                "revision": entry["revision"]}, {}

    def scan(self, request, find):
        prefix = request["range"]["prefix"]
        after = request.get("page_token", b"")
        keys = sorted(
            key for key in self.entries
            if key.startswith(prefix) and key > after and find(key) is not None)
        page = keys[:request["page_size"]]
        entries = [as_entry(key, self.entries[key]) for key in page]
        return {"entries": entries, "next_page_token": page[-1] if len(keys) > len(page) else b"",
                "examined": len(page), "revision": self.revision}, {}

    def count(self, request, find):
        prefix = request["range"]["prefix"]
        count = sum(1 for key in self.entries if key.startswith(prefix) and find(key))
        return {"count": count, "revision": self.revision}, {}

    def status(self, request, find):
        return {"revision": self.revision, "durable_revision": 0}, {}

    def set(self, request, find):
        entry = find(request["key"])
        refuse(stops(entry, request.get("condition")))
        value = messages.plain(messages.VALUE.decode(messages.VALUE.encode(request["value"])))
        previous = None
        if entry and (request.get("options") or {}).get("return_previous"):
            previous = as_entry(b"", entry)
        answer = {"revision": -1, "created": entry is None, "previous": previous,
                  "replayed": False}
        return answer, {request["key"]: changed(entry, value, ends_of(request, 0))}

    def delete(self, request, find):
        entry = find(request["key"])
        refuse(stops(entry, request.get("condition")))
        answer = {"deleted": entry is not None, "revision": -1 if entry else 0,
                  "previous": None, "replayed": False}
        return answer, {request["key"]: None} if entry else {}

    def increment(self, request, find):
        entry = find(request["key"])
        base = entry["value"] if entry else request.get("initial", 0)
        value = base + request["delta"]
        ends = ends_of(request, entry["ends"] if entry else 0)
        answer = {"value": value, "revision": -1, "replayed": False}
        return answer, {request["key"]: changed(entry, value, ends)}

    def touch(self, request, find):
        entry = find(request["key"])
        if entry is None:
            return {"found": False, "expires_at_ms": 0, "revision": 0, "replayed": False}, {}
        ends = ends_of(request, 0)
        answer = {"found": True, "expires_at_ms": ends, "revision": -1, "replayed": False}
        return answer, {request["key"]: changed(entry, entry["value"], ends)}

    def push(self, request, find):
        entry = find(request["key"])
        if entry is None and request.get("must_exist"):
            refuse("NOT_FOUND")
        items = list(entry["value"]) if entry else []
        for item in request["items"]:
            items.insert(0 if request.get("end") == messages.FRONT else len(items), item)
        while request.get("max_length") and len(items) > request["max_length"]:
            items.pop(-1 if request.get("end") == messages.FRONT else 0)
        answer = {"length": len(items), "revision": -1, "replayed": False}
        ends = ends_of(request, entry["ends"] if entry else 0)
        return answer, {request["key"]: changed(entry, tuple(items), ends)}

    def pop(self, request, find):
        entry = find(request["key"])
        if entry is None:
            return {"items": [], "length": 0, "revision": 0, "replayed": False}, {}
        items, taken = list(entry["value"]), []
        while items and len(taken) < max(1, request.get("count", 0)):
            taken.append(items.pop(0 if request.get("end") == messages.FRONT else -1))
        answer = {"items": taken, "length": len(items), "revision": -1, "replayed": False}
        left = changed(entry, tuple(items), entry["ends"]) if items else None
        return answer, {request["key"]: left}


def refuse(problem):
    if problem:
        code, _, text = problem.partition(": ")
        raise CallFailed(code, text)


def stops(entry, condition):
    """Why a condition does not hold; None: it does."""
    if not condition:
        return None
    if condition.get("exists") is False:
        return "ALREADY_EXISTS" if entry else None
    if entry is None:
        return "NOT_FOUND"
    current = f"ABORTED: the key's revision is {entry['revision']}"
    if condition.get("revision") is not None:
        return None if condition["revision"] == entry["revision"] else current
    if condition.get("value"):
        value = messages.plain(messages.VALUE.decode(messages.VALUE.encode(condition["value"])))
        return None if value == entry["value"] else current
    return None


def ends_of(request, kept):
    expiration = request.get("expiration")
    return now_ms() + expiration["ttl_ms"] if expiration else kept


def changed(entry, value, ends):
    if entry is None:
        return {"value": value, "create": 0, "version": 1, "ends": ends, "created_ms": now_ms(),
                "updated_ms": now_ms()}
    return {**entry, "value": value, "version": entry["version"] + 1, "ends": ends,
            "updated_ms": now_ms()}


def as_entry(key, entry):
    value = messages.VALUE.decode(messages.VALUE.encode(messages.message(entry["value"])))
    return {"key": key, "value": value, "revision": entry.get("revision", -1),
            "create_revision": entry["create"], "version": entry["version"],
            "created_at_ms": entry["created_ms"], "updated_at_ms": entry["updated_ms"],
            "expires_at_ms": entry["ends"], "value_omitted": False}
