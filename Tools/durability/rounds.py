"""One round: load on many connections, a kill at a random moment, a restart, an audit."""

import asyncio

from history import Recorder
from keyspace import ALL_KEYS, COUNTER, GROUPS, GROWING, LIST, MORTAL, POOLS, TEXT, group_keys
from wire import CallFailed, ConnectionLost
from workload import Workload

# Growing keys are many: an audit reads the round's own and so many of the older.
MAX_OLDER_AUDITED = 40
AUDIT_SECONDS = 120


class Rounds:
    """The load and the audit of one run. Confined to one asyncio loop.

    `connect` opens a connection to the server that runs now.
    """

    def __init__(self, rng, connect, connections=8, depth=2, **options):
        self.rng = rng
        self.connect = connect
        self.connections = connections
        self.depth = depth
        self.recorder = Recorder()
        self.workload = Workload(self.recorder, rng, **options)
        self.tasks = []
        self.open = []
        self.snapshots = {}      # how often one was asked for, by outcome

    async def begin_load(self):
        self.workload.tag = "load"
        for _ in range(self.connections):
            connection = await self.connect()
            self.open.append(connection)
            self.workload.connections = self.open
            self.tasks += [
                asyncio.create_task(self.workload.work(connection)) for _ in range(self.depth)]

    async def take_snapshot(self, after_seconds):
        """Asks for one while the load goes on; the kill may meet it."""
        connection = None
        try:
            connection = await self.connect()
            await asyncio.sleep(after_seconds)
            await connection.call("Snapshot", {})
            outcome = "taken"
        except CallFailed as error:
            outcome = error.code
        except ConnectionLost:
            outcome = "killed meanwhile"
        finally:
            if connection:
                connection.close()
        self.snapshots[outcome] = self.snapshots.get(outcome, 0) + 1

    async def end_load(self):
        """After the kill. Returns how many calls were under way."""
        await asyncio.wait_for(asyncio.gather(*self.tasks), 60)
        self.tasks, self.open = [], []
        return self.recorder.crash()

    def is_under_load(self):
        """False: some connection ended although nobody killed the server."""
        workers = self.tasks[:self.connections * self.depth]
        return not any(task.done() for task in workers)

    async def audit(self):
        """After the restart: repeats keyed calls, and reads everything."""
        await asyncio.wait_for(self.audit_unbounded(), AUDIT_SECONDS)

    async def audit_unbounded(self):
        connection = await self.connect()
        try:
            repetitions = self.workload.take_repetitions()
            early = [call for call in repetitions if self.rng.random() < 0.5]
            late = [call for call in repetitions if call not in early]
            self.workload.tag = "repetition"
            await self.workload.repeat(connection, early)
            self.workload.tag = "audit"
            await self.read_all(connection)
            self.workload.tag = "repetition"
            await self.workload.repeat(connection, late)
            self.workload.tag = "second audit"
            await self.read_all(connection)
            self.workload.keyed.clear()
        finally:
            close = getattr(connection, "close", None)
            if close:
                close()

    async def read_all(self, connection):
        perform = self.workload.perform
        gathered = [
            perform(connection, "Get", {"key": key}) for key in ALL_KEYS + self.growing_keys()]
        gathered += [
            perform(connection, "ListRange", {"key": key, "start": 0, "stop": -1})
            for key in POOLS[LIST]]
        gathered += [
            perform(connection, "BatchGet", {"keys": group_keys(group)})
            for group in range(GROUPS)]
        for start in range(0, len(gathered), 64):
            await asyncio.gather(*gathered[start:start + 64])
        for prefix in (TEXT, COUNTER, MORTAL):
            await self.workload.scan_prefix(connection, prefix, 10)
        await perform(connection, "Count", {"range": {"prefix": GROWING}})
        await self.workload.status(connection)

    def growing_keys(self):
        own = [
            call.request["key"] for call in self.recorder.calls
            if call.method == "Set" and call.request["key"].startswith(GROWING)]
        older = self.workload.older_growing
        chosen = self.rng.sample(older, min(len(older), MAX_OLDER_AUDITED))
        return list(dict.fromkeys(own + chosen))

    def take(self):
        """All calls of the round, and the place after the last."""
        calls = self.recorder.take()
        self.workload.older_growing += [
            call.request["key"] for call in calls
            if call.method == "Set" and call.request["key"].startswith(GROWING)]
        return calls, next(self.recorder.places)

