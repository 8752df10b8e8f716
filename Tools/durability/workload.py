"""What the clients do: writes with unique values and reads, of every kind, at few keys."""

import asyncio

import messages
from history import is_change
from keyspace import (
    COUNTER, GROUPS, GROWING, LIST, MORTAL, NEVER, POOLS, TEXT, group_keys)
from wire import CallFailed, ConnectionLost

MAX_LIST_LENGTH = 24
# Keyed writes that were answered are repeated after a restart: at most so many.
MAX_REPETITIONS = 20
LIFETIMES_MS = (300, 800, 2000, 6000)


class Workload:
    """One per run, shared by all connections; confined to one asyncio loop.

    `keyed` are the calls of this round that carried an idempotency key.
    """

    def __init__(self, recorder, rng, idempotency=True, own_durability=True,
                 pause_seconds=0.004):
        self.recorder = recorder
        self.rng = rng
        self.idempotency = idempotency
        self.own_durability = own_durability
        self.pause_seconds = pause_seconds
        self.serial = 0
        self.tag = ""
        self.keyed = []
        self.revisions = {}  # key -> a revision that was seen
        self.values = {}     # key -> a value that was written
        self.older_growing = []  # growing keys of earlier rounds
        self.connections = []    # those of the load
        self.chases = [
            (self.chased_set, self.follow_get), (self.chased_delete, self.follow_get),
            (self.chased_set, self.follow_condition), (self.chased_set, self.follow_batch)]
        self.actions = [getattr(self, name) for name, weight in WEIGHTS.items()
                        for _ in range(weight)]

    async def work(self, connection):
        """Makes calls, one after the other, until the connection is lost."""
        try:
            while True:
                await self.rng.choice(self.actions)(connection)
                await asyncio.sleep(self.rng.random() * self.pause_seconds)
        except ConnectionLost:
            return

    async def perform(self, connection, method, request, after=None):
        """One recorded call. Returns its answer, or None where it was refused."""
        if connection.closed:
            raise ConnectionLost("not sent")
        call = self.recorder.begin(method, request, self.tag)
        call.after = after
        if call.idempotency_key:
            self.keyed.append(call)
        try:
            answer = await connection.call(method, request)
        except CallFailed as error:
            self.recorder.finish(call, error=(error.code, error.text))
            return None
        self.recorder.finish(call, answer=answer)
        if "key" in request and answer.get("revision"):
            self.revisions[request["key"]] = answer["revision"]
        elif method == "Get" and answer["found"]:
            self.revisions[request["key"]] = answer["entry"]["revision"]
        return answer

    async def write(self, connection, method, request):
        """A write, some with an idempotency key, of those some twice at once; some weaker."""
        chance = self.rng.random()
        if self.idempotency and chance < 0.2:
            options = request.setdefault("options", {})
            options["idempotency_key"] = b"%024x" % self.rng.getrandbits(96)
            if chance < 0.03:
                await asyncio.gather(
                    self.perform(connection, method, request),
                    self.perform(connection, method, request))
                return
        elif chance > 0.94 and self.own_durability:
            durability = messages.MEMORY if chance > 0.97 else messages.SYNCED
            request.setdefault("options", {})["durability"] = durability
        await self.perform(connection, method, request)

    async def repeat(self, connection, calls):
        """Sends keyed calls again, as a client does that has lost its answer."""
        for call in calls:
            await self.perform(connection, call.method, call.request)

    def take_repetitions(self):
        """Of this round: all keyed calls without an answer, and some of the answered ones."""
        keyed, self.keyed = self.keyed, []
        unanswered = [call for call in keyed if call.is_unknown]
        answered = [call for call in keyed if call.answer and is_change(call)]
        some = self.rng.sample(answered, min(len(answered), MAX_REPETITIONS))
        chosen = {call.idempotency_key: call for call in unanswered + some}
        return list(chosen.values())

    def unique(self):
        self.serial += 1
        return b"v%d" % self.serial

    def key(self, prefix):
        keys = POOLS[prefix]
        return keys[self.rng.randrange(4)] if self.rng.random() < 0.2 else self.rng.choice(keys)

    # Single keys.

    async def set_text(self, connection, condition=None, key=None):
        key = key or self.key(TEXT)
        value = self.unique() + b"." * self.rng.choice((0, 0, 20, 200, 2000))
        request = {"key": key, "value": messages.message(value)}
        if condition:
            request["condition"] = condition
        if self.rng.random() < 0.15:
            request["options"] = {"return_previous": True}
        await self.write(connection, "Set", request)
        self.values[key] = value

    async def set_if_absent(self, connection):
        await self.set_text(connection, {"exists": False})

    async def set_if_present(self, connection):
        await self.set_text(connection, {"exists": True})

    async def set_if_revision(self, connection):
        key = self.key(TEXT)
        await self.set_text(connection, {"revision": self.revisions.get(key, 1)}, key)

    async def set_if_value(self, connection):
        key = self.key(TEXT)
        value = messages.message(self.values.get(key, b"-"))
        await self.set_text(connection, {"value": value}, key)

    async def delete(self, connection):
        request = {"key": self.key(TEXT)}
        if self.rng.random() < 0.3:
            request["condition"] = {"revision": self.revisions.get(request["key"], 1)}
        await self.write(connection, "Delete", request)

    async def get(self, connection):
        prefix = self.rng.choice((TEXT, TEXT, TEXT, COUNTER, LIST, NEVER))
        key = NEVER + b"%d" % self.serial if prefix == NEVER else self.key(prefix)
        request = {"key": key}
        if self.rng.random() < 0.1:
            request["keys_only"] = True
        await self.perform(connection, "Get", request)

    async def set_mortal(self, connection):
        request = {
            "key": self.key(MORTAL), "value": messages.message(self.unique()),
            "expiration": {"ttl_ms": self.rng.choice(LIFETIMES_MS)}}
        await self.write(connection, "Set", request)

    async def get_mortal(self, connection):
        await self.perform(connection, "Get", {"key": self.key(MORTAL)})

    async def touch(self, connection):
        request = {"key": self.key(MORTAL)}
        if self.rng.random() < 0.8:
            request["expiration"] = {"ttl_ms": self.rng.choice(LIFETIMES_MS)}
        await self.write(connection, "Touch", request)

    async def increment(self, connection):
        request = {"key": self.key(COUNTER), "delta": self.rng.randint(-3, 9)}
        if self.rng.random() < 0.2:
            request["initial"] = 100
        await self.write(connection, "Increment", request)

    async def delete_counter(self, connection):
        await self.write(connection, "Delete", {"key": self.key(COUNTER)})

    async def push(self, connection):
        items = [self.unique() for _ in range(self.rng.choice((1, 1, 2, 3)))]
        request = {
            "key": self.key(LIST), "items": items,
            "end": self.rng.choice((messages.BACK, messages.FRONT)),
            "max_length": MAX_LIST_LENGTH}
        if self.rng.random() < 0.1:
            request["must_exist"] = True
        await self.write(connection, "Push", request)

    async def pop(self, connection):
        request = {
            "key": self.key(LIST), "end": self.rng.choice((messages.BACK, messages.FRONT)),
            "count": self.rng.choice((1, 1, 2, 5))}
        await self.write(connection, "Pop", request)

    async def list_range(self, connection):
        request = {"key": self.key(LIST), "start": 0, "stop": -1}
        await self.perform(connection, "ListRange", request)

    async def create_growing(self, connection):
        key = GROWING + self.unique()
        request = {"key": key, "value": messages.message(key), "condition": {"exists": False}}
        await self.write(connection, "Set", request)

    # What is shown before it is durable: a write, and reads that follow at its heels.

    async def chase(self, connection):
        write, follow = self.rng.choice(self.chases)
        key = self.rng.choice(POOLS[TEXT][:8])
        await asyncio.gather(
            write(connection, key), *[self.follow(follow, connection, key) for _ in range(3)])

    async def follow(self, follow, connection, key):
        """A read behind a write, on the same connection or on another."""
        if self.rng.random() < 0.5 and self.connections:
            connection = self.rng.choice(self.connections)
        await asyncio.sleep(self.rng.random() * 0.003)
        await follow(connection, key)

    async def chased_set(self, connection, key):
        request = {"key": key, "value": messages.message(self.unique())}
        await self.perform(connection, "Set", request)

    async def chased_delete(self, connection, key):
        await self.perform(connection, "Delete", {"key": key})

    async def follow_get(self, connection, key):
        await self.perform(connection, "Get", {"key": key})

    async def follow_condition(self, connection, key):
        """Revision 1 was the first of all: the refusal names the current one."""
        condition = self.rng.choice(({"revision": 1}, {"exists": False}))
        request = {"key": key, "value": messages.message(self.unique()), "condition": condition}
        await self.perform(connection, "Set", request)

    async def follow_batch(self, connection, key):
        await self.perform(connection, "BatchGet", {"keys": [key]})

    # Many keys.

    async def write_group(self, connection):
        keys = group_keys(self.rng.randrange(GROUPS))
        self.rng.shuffle(keys)
        value = messages.message(self.unique())
        steps = [{"set": {"key": key, "value": value}} for key in keys]
        if self.rng.random() < 0.15:
            steps = [{"delete": {"key": key}} for key in keys]
        request = {"success": steps}
        if self.rng.random() < 0.1:
            # Its last step fails: nothing may happen.
            refused = {"key": NEVER + b"x", "value": value, "condition": {"exists": True}}
            request["success"] = steps + [{"set": refused}]
        await self.write(connection, "Transact", request)

    async def read_group(self, connection):
        keys = group_keys(self.rng.randrange(GROUPS))
        if self.rng.random() < 0.5:
            await self.perform(connection, "BatchGet", {"keys": keys})
        else:
            steps = [{"get": {"key": key}} for key in keys]
            await self.perform(connection, "Transact", {"success": steps})

    async def transact_mixed(self, connection):
        text, counter = self.key(TEXT), self.key(COUNTER)
        steps = [
            {"set": {"key": text, "value": messages.message(self.unique())}},
            {"increment": {"key": counter, "delta": 1}},
            {"push": {"key": self.key(LIST), "items": [self.unique()],
                      "max_length": MAX_LIST_LENGTH}}]
        request = {"success": steps}
        if self.rng.random() < 0.5:
            condition = {"revision": self.revisions.get(text, 1)}
            request["compares"] = [{"key": text, "condition": condition}]
            request["failure"] = [{"get": {"key": text}}, {"get": {"key": counter}}]
        await self.write(connection, "Transact", request)

    async def batch_get(self, connection):
        keys = list({self.key(TEXT) for _ in range(6)})
        await self.perform(connection, "BatchGet", {"keys": keys})

    async def scan(self, connection):
        await self.scan_prefix(
            connection, self.rng.choice((TEXT, COUNTER, TEXT)), self.rng.choice((5, 10, 1000)))

    async def scan_prefix(self, connection, prefix, page_size):
        request = {"range": {"prefix": prefix}, "page_size": page_size}
        after = None
        while True:
            answer = await self.perform(connection, "Scan", dict(request), after)
            if answer is None or not answer["next_page_token"]:
                return
            request["page_token"] = answer["next_page_token"]
            if answer["entries"]:
                after = answer["entries"][-1]["key"]

    async def count(self, connection):
        await self.perform(connection, "Count", {"range": {"prefix": GROWING}})

    async def status(self, connection):
        await self.perform(connection, "Status", {})


WEIGHTS = {
    "set_text": 12, "set_if_absent": 4, "set_if_present": 1, "set_if_revision": 5,
    "set_if_value": 3, "delete": 6, "get": 13, "set_mortal": 5, "get_mortal": 4, "touch": 3,
    "increment": 8, "delete_counter": 1, "push": 8, "pop": 6, "list_range": 4,
    "create_growing": 2, "write_group": 7, "read_group": 6, "transact_mixed": 5,
    "batch_get": 2, "chase": 12, "scan": 2, "count": 1, "status": 1,
}
