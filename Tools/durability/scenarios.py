"""What goes wrong with a disk, one scenario each: a coroutine that returns what it saw, or raises
Failed. `SCENARIOS` names them."""

import asyncio

from injection import Injection
from ledger import Ledger
from wire import CallFailed, ConnectionLost

WRITES = "write,pwrite64,writev,pwritev,pwritev2"
EX_IOERR = 74
RECOVERY_SECONDS = 30
CALL_SECONDS = 30
KEYS = [b"k%02d" % number for number in range(20)]
WRITTEN = 10  # of KEYS by a scenario; the others are as they were


class Failed(Exception):
    """The server did not do what it must; the text says what."""


class Skipped(Exception):
    """Not possible on this machine; the text says why."""


def require(condition, text):
    if not condition:
        raise Failed(text)


async def bounded(coroutine):
    try:
        return await asyncio.wait_for(coroutine, CALL_SECONDS)
    except asyncio.TimeoutError:
        raise Failed(f"a call had no answer for {CALL_SECONDS} s") from None


def segment(server):
    """The log's newest segment, into which it writes now."""
    segments = sorted(server.data.glob("log-*"))
    require(segments, f"no log segment in {[path.name for path in server.data.iterdir()]}")
    return segments[-1]


async def fill(server, ledger, keys=KEYS):
    connection = await server.connect()
    for key in keys:
        require(await bounded(ledger.set(connection, key)), f"not written: {ledger.refusals}")
    return connection


async def compare_after_restart(server, ledger):
    await server.kill()
    await server.start()
    connection = await server.connect()
    differences = await bounded(ledger.differences(connection))
    require(not differences, "after a restart " + "; ".join(differences[:5]))
    require(await bounded(ledger.set(connection, b"after")), f"then {ledger.refusals[-1:]}")
    connection.close()


async def fail_sync(server, error):
    """The third sync fails: no acknowledgement, exit code 74, a message, and no second try."""
    ledger = Ledger()
    await server.start()
    connection = await fill(server, ledger)
    fault = f"fdatasync,fsync,sync_file_range:error={error}:when=3+"
    async with Injection(server, fault, [segment(server)]) as injection:
        for number in range(20):
            acknowledged = await bounded(ledger.set(connection, KEYS[number]))
            require(not (acknowledged and injection.injected), "acknowledged after a failed sync")
            if not acknowledged:
                break
        else:
            raise Failed("20 writes were acknowledged, no sync failed")
        code = await server.wait(20)
    require(injection.injected >= 1, "no sync was made to fail")
    require(injection.injected == 1, f"a failed sync was tried again: {injection.seen}")
    require(code == EX_IOERR, f"exit code {code}, not {EX_IOERR}: {server.tail()}")
    said = server.tail().splitlines()[-1:]
    require("sync" in server.tail(), f"no message of it: {said}")
    await compare_after_restart(server, ledger)
    return f"exit code {code}: {said[0] if said else ''}"


async def sync_eio(server):
    """A sync fails with EIO: no acknowledgement, no second try, exit code 74."""
    return await fail_sync(server, "EIO")


async def sync_enospc(server):
    """The same with ENOSPC."""
    return await fail_sync(server, "ENOSPC")


async def refuse_writes(server, fault):
    """Writes to the log fail for a while: they get UNAVAILABLE, reads go on, it recovers."""
    ledger = Ledger()
    await server.start()
    connection = await fill(server, ledger)
    async with Injection(server, fault, [segment(server)]) as injection:
        refused = 0
        for key, other in zip(KEYS[:WRITTEN], KEYS[WRITTEN:]):
            refused += not await bounded(ledger.set(connection, key))
            # Its own key may depend on the write; the other one is on the disk.
            await bounded(ledger.show(connection, key))
            error = await bounded(ledger.show(connection, other))
            require(error is None, f"{other} cannot be read meanwhile: {error}")
        require(injection.injected, "no write was made to fail")
    require(server.is_running, f"the server ended: {server.tail()}")
    require(refused, f"{injection.injected} writes failed, and all were acknowledged")
    strange = [text for text in ledger.refusals if not text.startswith("UNAVAILABLE")]
    require(not strange, f"refused as {strange[:1]}")
    reason = ledger.refusals[0]
    await recover(connection, ledger)
    differences = await bounded(ledger.differences(connection))
    require(not differences, "still running " + "; ".join(differences[:5]))
    await compare_after_restart(server, ledger)
    return f"{refused} of {WRITTEN} writes refused: {reason}"


async def recover(connection, ledger):
    """Waits until writes are taken again."""
    loop = asyncio.get_running_loop()
    until = loop.time() + RECOVERY_SECONDS
    while not await bounded(ledger.set(connection, b"again")):
        require(loop.time() < until, f"no recovery in {RECOVERY_SECONDS} s: {ledger.refusals[-1]}")
        await asyncio.sleep(0.2)


async def write_enospc(server):
    """Every write to the log fails with ENOSPC for a while."""
    return await refuse_writes(server, f"{WRITES}:error=ENOSPC")


async def write_enospc_once(server):
    """One write to the log fails with ENOSPC."""
    return await refuse_writes(server, f"{WRITES}:error=ENOSPC:when=2")


async def write_short(server):
    """The system says that 17 bytes were written, and wrote none."""
    return await refuse_writes(server, f"{WRITES}:retval=17:when=2")


async def write_short_always(server):
    """The same for all writes of a while."""
    return await refuse_writes(server, f"{WRITES}:retval=17")


async def kill_while_refused(server, error):
    """Reads at the heels of writes that cannot be logged, then a kill: nothing shown is gone."""
    ledger = Ledger()
    await server.start()
    connection = await fill(server, ledger)
    other = await server.connect()

    async def follow(key, after_seconds):
        await asyncio.sleep(after_seconds)
        return await bounded(ledger.show(other, key))

    async with Injection(
            server, f"{WRITES}:error={error}", [segment(server)]) as injection:
        try:
            for key in KEYS * 3:
                await asyncio.gather(
                    bounded(ledger.set(connection, key)),
                    *[follow(key, place * 0.002) for place in range(4)])
        except ConnectionLost:
            pass
        require(injection.injected, "no write was made to fail")
        await server.kill()
    await compare_after_restart(server, ledger)
    return f"{len(ledger.refusals)} writes refused"


async def write_enospc_kill(server):
    """Writes to the log fail with ENOSPC until a kill: nothing that was shown is gone."""
    return await kill_while_refused(server, "ENOSPC")


async def write_eio_kill(server):
    """The same with EIO."""
    return await kill_while_refused(server, "EIO")


async def write_eio(server):
    """Either the server refuses and goes on, or it ends with 74; nothing is lost or made up."""
    ledger = Ledger()
    await server.start()
    connection = await fill(server, ledger)
    async with Injection(server, f"{WRITES}:error=EIO:when=2", [segment(server)]) as injection:
        for key in KEYS:
            if not await bounded(ledger.set(connection, key)):
                break
        require(injection.injected, "no write was made to fail")
        await asyncio.sleep(0.5)
    went_on = server.is_running
    code = None if went_on else await server.wait(10)
    require(went_on or code == EX_IOERR, f"exit code {code}: {server.tail()}")
    await compare_after_restart(server, ledger)
    return "went on" if went_on else f"exit code {code}"


async def kill_in_snapshot(server, fault, files=()):
    """Two snapshots, then one more that is killed at a step; the state must be the same."""
    ledger = Ledger()
    await server.start()
    connection = await fill(server, ledger)
    for _ in range(2):
        await snapshot(connection)
        for key in KEYS:
            await bounded(ledger.set(connection, key))
        await bounded(ledger.delete(connection, KEYS[0]))
    paths = [server.data / name for name in files]
    async with Injection(server, fault, paths):
        try:
            await snapshot(connection)
        except (ConnectionLost, CallFailed):
            pass
        await asyncio.sleep(0.5)
        was_killed = not server.is_running
        names = sorted(path.name for path in server.data.iterdir())
    require(was_killed, f"a snapshot has no such step; files are {names}")
    await compare_after_restart(server, ledger)
    left = sorted(path.name for path in server.data.iterdir())
    require("snap.tmp" not in left, f"snap.tmp is left after the restart: {left}")
    connection = await server.connect()
    await snapshot(connection)
    connection.close()
    await compare_after_restart(server, ledger)
    return "snap.tmp was there" if "snap.tmp" in names else "snap.tmp was not there"


async def snapshot(connection):
    await bounded(connection.call("Snapshot", {}))


SNAPSHOT_STEPS = {
    "snapshot-kill-at-first-write": (f"{WRITES}:signal=KILL:when=1", ["snap.tmp"]),
    "snapshot-kill-at-second-write": (f"{WRITES}:signal=KILL:when=2", ["snap.tmp"]),
    "snapshot-kill-at-sync": ("fdatasync,fsync:signal=KILL:when=1", ["snap.tmp"]),
    "snapshot-kill-at-read-back": (
        "read,pread64,mmap,preadv:signal=KILL:when=1", ["snap.tmp"]),
    "snapshot-kill-at-rename": ("rename,renameat,renameat2:signal=KILL:when=1", []),
    "snapshot-kill-after-rename": ("fsync:signal=KILL:when=1", [""]),
    "snapshot-kill-at-first-unlink": ("unlink,unlinkat:signal=KILL:when=1", []),
    "snapshot-kill-at-second-unlink": ("unlink,unlinkat:signal=KILL:when=2", []),
}


def snapshot_scenario(fault, files):
    async def scenario(server):
        return await kill_in_snapshot(server, fault, files)
    calls, _, rest = fault.partition(":")
    place = f" of {files[0] or 'the directory'}" if files else ""
    scenario.__doc__ = f"Killed at {calls}{place}, {rest.rpartition(':')[2]}."
    return scenario


SCENARIOS = {
    "sync-eio": sync_eio,
    "sync-enospc": sync_enospc,
    "write-enospc": write_enospc,
    "write-enospc-once": write_enospc_once,
    "write-short": write_short,
    "write-short-always": write_short_always,
    "write-eio": write_eio,
    "write-enospc-kill": write_enospc_kill,
    "write-eio-kill": write_eio_kill,
    **{name: snapshot_scenario(*step) for name, step in SNAPSHOT_STEPS.items()},
}
