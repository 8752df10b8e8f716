"""An ext4 file system in a file, mounted by a loop device, whose power can be cut.

The cut is the ioctl EXT4_IOC_SHUTDOWN with NOLOGFLUSH: from then on nothing reaches the image, and
what was only in the page cache is gone with the unmount, as with the power. Mounting again replays
the journal. Needs root and loop devices.
"""

import fcntl
import os
import pathlib
import struct
import subprocess
import tempfile

EXT4_IOC_SHUTDOWN = 0x8004587D
NO_LOG_FLUSH = 2
IMAGE_BYTES = 256 << 20


class MountRefused(Exception):
    """This machine does not allow it; the text says why."""


class Image:
    """The caller ends it with `remove`, also after an error."""

    def __init__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="roost-power-"))
        self.file = self.folder / "disk.img"
        self.mounted_at = self.folder / "mounted"
        self.mounted_at.mkdir()

    @property
    def is_mounted(self):
        return self.mounted_at.is_mount()

    def make(self):
        with open(self.file, "wb") as file:
            file.truncate(IMAGE_BYTES)
        run("mkfs.ext4", "-q", "-F", str(self.file))

    def mount(self):
        run("mount", "-t", "ext4", "-o", "loop", str(self.file), str(self.mounted_at))

    def cut(self):
        """The power is gone: nothing that is not on the disk will be."""
        descriptor = os.open(self.mounted_at, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.ioctl(descriptor, EXT4_IOC_SHUTDOWN, struct.pack("I", NO_LOG_FLUSH))
        finally:
            os.close(descriptor)

    def unmount(self):
        """Frees the loop device too, which `mount -o loop` ties to the mount."""
        if self.is_mounted:
            run("umount", str(self.mounted_at))

    def remove(self):
        try:
            self.unmount()
        except MountRefused:
            subprocess.run(["umount", "-l", str(self.mounted_at)], check=False)
        self.file.unlink(missing_ok=True)
        self.mounted_at.rmdir()
        for path in self.folder.iterdir():
            path.unlink()
        self.folder.rmdir()


def run(*command):
    try:
        # In a session of its own: a signal to this tool's group must not end it halfway.
        subprocess.run(
            command, check=True, capture_output=True, text=True, timeout=120,
            start_new_session=True)
    except FileNotFoundError as error:
        raise MountRefused(f"{command[0]} is not installed") from error
    except subprocess.CalledProcessError as error:
        reason = error.stderr.strip() or f"exit code {error.returncode}"
        raise MountRefused(f"{' '.join(command)}: {reason}") from error


def prove_cut():
    """Shows on a file of its own that a cut keeps what was synced and loses what was not.

    Returns what it saw as text. Raises MountRefused where mounting is not allowed, and
    AssertionError where a cut does not do that.
    """
    image = Image()
    try:
        image.make()
        image.mount()
        path = image.mounted_at / "log"
        descriptor = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_APPEND)
        try:
            os.write(descriptor, b"s" * 100_000)
            os.fdatasync(descriptor)
            os.write(descriptor, b"u" * 100_000)
            image.cut()
            try:
                os.write(descriptor, b"after")
                os.fdatasync(descriptor)
                raise AssertionError("a write after the cut succeeded")
            except OSError as error:
                after = error.strerror
        finally:
            os.close(descriptor)
        image.unmount()
        image.mount()
        data = path.read_bytes()
        assert data[:100_000] == b"s" * 100_000, "synced data is gone"
        assert len(data) == 100_000, f"{len(data) - 100_000} bytes that were not synced are there"
        return f"100000 synced bytes are kept, 100000 others lost, a write after it: {after}"
    finally:
        image.remove()
