"""Faults in a running process: strace attached to it makes its system calls fail.

`with Injection(pid, …)` begins when strace is attached and ends with its detachment, after which
the calls work again. A fault may be limited to those calls that concern certain files.
"""

import asyncio
import shutil
import signal
import subprocess

ATTACH_SECONDS = 20


class InjectionRefused(Exception):
    """strace is missing, or must not attach here; the text says why."""


class Injection:
    """`faults` are strace's, as `fdatasync:error=EIO:when=3`; `files` are full paths."""

    def __init__(self, server, faults, files=()):
        self.server = server
        self.faults = [faults] if isinstance(faults, str) else faults
        self.files = files
        self.process = None
        self.seen = []
        self.reading = None

    async def __aenter__(self):
        if not shutil.which("strace"):
            raise InjectionRefused("strace is not installed: Tools/packages test")
        command = ["strace", "-f", "-p", str(self.server.pid())]
        calls = ",".join(fault.partition(":")[0] for fault in self.faults)
        command += ["-e", f"trace={calls}"]
        for fault in self.faults:
            command += ["-e", f"inject={fault}"]
        for file in self.files:
            command += ["-P", str(file)]
        self.process = await asyncio.create_subprocess_exec(
            *command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE)
        attached = asyncio.get_running_loop().create_future()
        self.reading = asyncio.create_task(self.read(attached))
        try:
            await asyncio.wait_for(asyncio.shield(attached), ATTACH_SECONDS)
        except asyncio.TimeoutError:
            await self.__aexit__()
            raise InjectionRefused("strace did not attach") from None
        if not attached.result():
            raise InjectionRefused(" ".join(self.seen)[:300])
        return self

    async def read(self, attached):
        """Keeps the lines of injected faults; says when all threads are attached."""
        is_attached = False
        while line := (await self.process.stderr.readline()).decode("utf-8", "replace").strip():
            if " attached" in line and not attached.done():
                is_attached = True
                # With -f it names each thread, or says once how many there are.
                asyncio.get_running_loop().call_later(
                    0.3, lambda: attached.done() or attached.set_result(True))
            elif "INJECTED" in line or "strace:" in line or not attached.done():
                self.seen.append(line)
        if not attached.done():
            attached.set_result(is_attached)

    @property
    def injected(self):
        """How many calls were made to fail so far."""
        return sum("INJECTED" in line for line in self.seen)

    async def __aexit__(self, *_):
        if self.process.returncode is None:
            # Interrupted, it detaches; killed, it would leave the process stopped.
            self.process.send_signal(signal.SIGINT)
            try:
                await asyncio.wait_for(self.process.wait(), 10)
            except asyncio.TimeoutError:
                self.process.kill()
                await self.process.wait()
        await self.reading
