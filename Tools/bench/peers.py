"""The servers that are compared, the load generator, and how the programs are built."""

import os
import pathlib
import shutil
import signal
import socket
import subprocess
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
TICKS = os.sysconf("SC_CLK_TCK")
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    """A server process under test. Stopped by its own pid when the block ends."""

    def __init__(self, name, protocol, port, command, token=None):
        self.name, self.protocol, self.port, self.token = name, protocol, port, token
        self.process = subprocess.Popen(
            ["taskset", "-c", "0", *command], stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL, preexec_fn=os.setsid)
        deadline = time.monotonic() + 30
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    raise SystemExit(f"{name} did not start: {' '.join(command)}")
                time.sleep(0.05)
        self.empty_bytes = self.resident_bytes()

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(timeout=60)

    def kill(self):
        self.process.kill()
        self.process.wait(timeout=30)

    def cpu_seconds(self):
        with open(f"/proc/{self.process.pid}/stat", encoding="ascii") as stat:
            fields = stat.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def wait_for_idle(self, limit_seconds=30):
        """Waits until the server has nothing to do."""
        deadline = time.monotonic() + limit_seconds
        before = self.cpu_seconds()
        while time.monotonic() < deadline:
            time.sleep(0.5)
            now = self.cpu_seconds()
            if now - before < 0.05:
                return
            before = now

    def resident_bytes(self):
        with open(f"/proc/{self.process.pid}/statm", encoding="ascii") as statm:
            return int(statm.read().split()[1]) * PAGE_BYTES

    def load(self, generator, operation, connections, depth, seconds, keys, *more):
        command = [
            "taskset", "-c", "1", generator, "-m", self.protocol, "-o", operation,
            "-p", str(self.port), "-c", str(connections), "-P", str(depth), "-t", str(seconds),
            "-n", str(keys), *more]
        if self.token:
            command += ["-A", self.token]
        before = self.cpu_seconds()
        result = subprocess.run(command, capture_output=True, text=True)
        if result.returncode != 0:
            raise SystemExit(f"{self.name}: {result.stdout}{result.stderr}")
        figures = dict(pair.split("=") for pair in result.stdout.split())
        operations = int(figures["ops"])
        return {
            "cpu_us": (self.cpu_seconds() - before) * 1e6 / operations,
            "rate": float(figures["rate"]),
            "p50_us": float(figures["p50us"]),
            "p99_us": float(figures["p99us"]),
            "max_us": float(figures["maxus"]),
            "misses": int(figures["misses"]),
        }


def build(folder):
    subprocess.run([ROOT / "Tools/packages", "bench"], check=True)
    bin_path = subprocess.run(
        [ROOT / "Tools/build"], check=True, capture_output=True, text=True).stdout.split()[-1]
    generator = folder / "loadgen"
    subprocess.run(
        ["gcc", "-O3", "-o", generator, ROOT / "Tools/bench/loadgen.c"], check=True)
    return pathlib.Path(bin_path), str(generator)


def roostd_command(bin_path, port, data, *flags):
    return [
        str(bin_path / "roostd"), "--listen", f"tcp://127.0.0.1:{port}", "--data-dir", str(data),
        *flags]


def redis_command(port, folder, *flags):
    return [
        shutil.which("redis-server"), "--port", str(port), "--bind", "127.0.0.1", "--save", "",
        "--auto-aof-rewrite-percentage", "0", "--dir", str(folder), *flags]
