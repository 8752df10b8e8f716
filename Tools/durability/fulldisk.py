"""Scenarios that need no strace: a full disk, a second server, a segment that cannot be read."""

import asyncio
import contextlib
import pathlib
import shutil
import subprocess
import tempfile

from ledger import Ledger
from scenarios import KEYS, Failed, Skipped, bounded, compare_after_restart, fill, recover, require
from server import Server, StartFailed

DISK_BYTES = 8 << 20
BALLAST_BYTES = 3 << 20
VALUE_BYTES = 32 << 10
MAX_WRITES = 1000


@contextlib.asynccontextmanager
async def on_small_disk(server):
    """The same server on a disk of 8 MiB with a ballast; `make_room` of it takes that away."""
    folder = tempfile.mkdtemp(prefix="roost-full-")
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "roost-full", folder],
        capture_output=True, text=True, check=False)
    if mounted.returncode != 0:
        shutil.rmtree(folder)
        raise Skipped(mounted.stderr.strip().splitlines()[0])
    small = Server(server.binary, f"{folder}/data", server.log, server.flags, server.prefix)
    ballast = pathlib.Path(folder, "ballast")
    small.make_room = ballast.unlink
    try:
        ballast.write_bytes(bytes(BALLAST_BYTES))
        await small.start()
        yield small
    finally:
        await small.kill()
        subprocess.run(["umount", folder], check=True)
        shutil.rmtree(folder)


async def fill_disk(server, ledger):
    """Writes until a write is refused. Returns the connection, and how many were taken."""
    connection = await fill(server, ledger)
    written = 0
    while await bounded(ledger.set(connection, b"f%03d" % written, VALUE_BYTES)):
        written += 1
        require(written < MAX_WRITES, f"{written} writes of {VALUE_BYTES} bytes fit the disk")
    require(server.is_running, f"the server ended: {server.tail()}")
    return connection, written


async def full_disk(server):
    """Writes end with UNAVAILABLE, reads and deletions go on, and room ends it."""
    async with on_small_disk(server) as small:
        ledger = Ledger()
        connection, written = await fill_disk(small, ledger)
        reason = ledger.refusals[-1]
        require(reason.startswith("UNAVAILABLE"), f"refused as {reason}")
        differences = await bounded(ledger.differences(connection))
        require(not differences, "while full: " + "; ".join(differences[:5]))
        deleted = 0
        for number in range(min(written, 20)):
            deleted += await bounded(ledger.delete(connection, b"f%03d" % number))
        require(deleted, f"no deletion is taken on the full disk: {ledger.refusals[-1]}")
        small.make_room()
        await recover(connection, ledger)
        differences = await bounded(ledger.differences(connection))
        require(not differences, "with room again: " + "; ".join(differences[:5]))
        await compare_after_restart(small, ledger)
        return f"after {written} writes, {deleted} deletions taken meanwhile: {reason}"


async def full_disk_restart(server):
    """A server killed on the full disk starts on it, or says why not; with room all is there."""
    async with on_small_disk(server) as small:
        ledger = Ledger()
        await fill_disk(small, ledger)
        await small.kill()
        try:
            await small.start()
            outcome = "started on the full disk"
            connection = await small.connect()
            differences = await bounded(ledger.differences(connection))
            require(not differences, "on the full disk: " + "; ".join(differences[:5]))
        except StartFailed as error:
            outcome = f"did not start on the full disk: {error.tail.splitlines()[-1:]}"
        small.make_room()
        if not small.is_running:
            await small.start()
        await recover(await small.connect(), ledger)
        await compare_after_restart(small, ledger)
        return outcome


async def second_server(server):
    """A second one on the directory is refused, and the first goes on."""
    ledger = Ledger()
    await server.start()
    connection = await fill(server, ledger)
    second = Server(server.binary, server.data, server.log, server.flags)
    try:
        await second.start()
        raise Failed("a second server started on the same directory")
    except StartFailed as error:
        said = error.tail.splitlines()[-1:]
    finally:
        await second.kill()
    require(await bounded(ledger.set(connection, KEYS[0])), "then the first refuses writes")
    await compare_after_restart(server, ledger)
    return f"refused: {said[0] if said else ''}"


async def read_eio(server):
    """A segment that cannot be read: refuses to start, names it, and changes nothing."""
    if not shutil.which("strace"):
        raise Skipped("strace is not installed: Tools/packages test")
    ledger = Ledger()
    await server.start()
    await fill(server, ledger)
    await server.kill()
    newest = sorted(server.data.glob("log-*"))[-1]
    reads = "read,pread64,readv,preadv,mmap"
    server.prefix = [
        "strace", "-f", "-o", "/dev/null", "-P", str(newest), "-e", f"trace={reads}",
        "-e", f"inject={reads}:error=EIO"]
    try:
        await server.start()
        raise Failed("it started although its segment cannot be read")
    except StartFailed as error:
        require(newest.name in error.tail, f"its message does not name the file: {error.tail}")
        code, said = error.code, error.tail.splitlines()[-1]
    finally:
        await server.kill()
        server.prefix = []
    await asyncio.sleep(0.1)
    await server.start()
    await compare_after_restart(server, ledger)
    return f"exit code {code}: {said}"


DISK_SCENARIOS = {
    "full-disk": full_disk,
    "full-disk-restart": full_disk_restart,
    "second-server": second_server,
    "read-eio": read_eio,
}
