"""A real roostd: started on a free port of the loopback, killed, stopped, started again."""

import asyncio
import os
import pathlib
import re
import signal

import wire

READY = re.compile(rb"ready tcp://127\.0\.0\.1:(\d+)")
ROOT = pathlib.Path(__file__).resolve().parents[2]
DEFAULT_BINARY = ROOT / ".build/release/roostd"
TAIL_LINES = 12


def clean_up_at_sigterm():
    """Lets the current task's `finally` run when this tool is told to end."""
    task = asyncio.current_task()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)


class StartFailed(Exception):
    """It ended, or was silent for too long, before it was ready."""

    def __init__(self, code, tail):
        super().__init__(f"roostd did not start (exit code {code}):\n{tail}")
        self.code = code
        self.tail = tail


class Server:
    """One data directory and the process that serves it now. What it says goes to `log`.

    `prefix` is a command that runs it, as strace does.
    """

    def __init__(self, binary, data, log, flags=(), prefix=(), start_seconds=60):
        self.binary = str(binary)
        self.data = pathlib.Path(data)
        self.log = pathlib.Path(log)
        self.flags = list(flags)
        self.prefix = list(prefix)
        self.start_seconds = start_seconds
        self.process = None
        self.port = None
        self.reading = None

    def command(self):
        return self.prefix + [
            self.binary, "--listen", "tcp://127.0.0.1:0", "--data-dir", str(self.data),
            "--auth", "off", *self.flags]

    async def launch(self):
        """Starts the process, and does not wait until it is ready."""
        self.port = None
        self.process = await asyncio.create_subprocess_exec(
            *self.command(), stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE)
        self.ready = asyncio.get_running_loop().create_future()
        self.reading = asyncio.create_task(self.read_log(self.process.stderr))

    async def start(self):
        """Starts it and waits until it is ready. Returns after how many seconds it was."""
        began = asyncio.get_running_loop().time()
        await self.launch()
        try:
            self.port = await asyncio.wait_for(asyncio.shield(self.ready), self.start_seconds)
        except asyncio.TimeoutError:
            await self.kill()
            raise StartFailed("none: killed", self.tail()) from None
        if self.port is None:
            raise StartFailed(await self.process.wait(), self.tail())
        return asyncio.get_running_loop().time() - began

    async def read_log(self, stream):
        with open(self.log, "ab") as log:
            while line := await stream.readline():
                log.write(line)
                log.flush()
                found = READY.search(line)
                if found and not self.ready.done():
                    self.ready.set_result(int(found.group(1)))
        if not self.ready.done():
            self.ready.set_result(None)

    async def connect(self):
        return await wire.Connection.open(self.port)

    @property
    def is_running(self):
        return self.process is not None and self.process.returncode is None

    def pid(self):
        """Of roostd itself, where another command runs it."""
        if not self.prefix:
            return self.process.pid
        children = f"/proc/{self.process.pid}/task/{self.process.pid}/children"
        for child in pathlib.Path(children).read_text().split():
            return int(child)
        return self.process.pid

    async def kill(self):
        """SIGKILL, at once; returns when it is gone."""
        if self.is_running:
            try:
                os.kill(self.pid(), signal.SIGKILL)
            except (ProcessLookupError, FileNotFoundError):
                pass
        await self.wait(30)

    def freeze(self):
        """SIGSTOP: it does nothing more, and can still be killed."""
        os.kill(self.pid(), signal.SIGSTOP)

    async def stop(self):
        """SIGTERM, as an operator stops it. Returns the exit code."""
        if self.is_running:
            os.kill(self.pid(), signal.SIGTERM)
        return await self.wait(30)

    async def wait(self, seconds):
        """Waits for its end. Returns the exit code; kills it when the time is over."""
        if self.process is None:
            return None
        try:
            await asyncio.wait_for(self.process.wait(), seconds)
        except asyncio.TimeoutError:
            self.process.kill()
            await self.process.wait()
        if self.reading:
            await self.reading
            self.reading = None
        return self.process.returncode

    def tail(self):
        try:
            lines = self.log.read_text(errors="replace").splitlines()
        except FileNotFoundError:
            return ""
        return "\n".join(lines[-TAIL_LINES:])
