"""Checks of the machine itself, which a server and a device share: disk, memory, versions, clock, files.

Nothing heavy is imported to be looked at: versions are read from what is installed (importlib.metadata).
"""

from __future__ import annotations

import os
import platform
import re
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, requires, version
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from handfed.shared.checkup import Check

_PYTHONS: Final = ((3, 11), (3, 13))
_MEMORY_INFO: Final = Path("/proc/meminfo")
_MEMORY_LIMIT: Final = Path("/sys/fs/cgroup/memory.max")
_TIMEDATECTL_TIMEOUT_S: Final = 5
_MEGABYTE: Final = 1_000_000
_GIGABYTE: Final = 1000 * _MEGABYTE
_FILE_CLOCK_TOLERANCE_S: Final = 2.0
_SET_CLOCK: Final = "let it be set by NTP: timedatectl set-ntp true, or install chrony"


def disk(directory: Path, *, needed_bytes: int, wanted_bytes: int) -> Check:
    """Whether there is room where a directory is, or will be.

    Args:
        directory: The directory; it need not exist yet.
        needed_bytes: Below this it fails.
        wanted_bytes: Below this it warns.
    """
    name = "disk"
    there = next((path for path in (directory, *directory.absolute().parents) if path.is_dir()), Path("/"))
    try:
        free = shutil.disk_usage(there).free
    except OSError as error:
        return Check.failure(
            name, f"{there} cannot be looked at ({error.strerror})", "run this as the user who owns it"
        )
    found = f"{size(free)} free at {there}"
    if not os.access(there, os.W_OK | os.X_OK):
        return Check.failure(name, f"{there} cannot be written", "give it to this user, or choose another folder")
    if free < needed_bytes:
        return Check.failure(name, found, f"free some: {size(needed_bytes)} are needed, {size(wanted_bytes)} are good")
    if free < wanted_bytes:
        return Check.warning(name, found, f"free some, or move to a larger disk: {size(wanted_bytes)} are good")
    return Check.ok(name, found)


def memory(*, wanted_bytes: int) -> Check:
    """Whether there is memory left; a container's limit counts where it is lower."""
    available = _available_memory()
    if available is None:
        return Check.ok("memory", "this system does not tell")
    found = f"{size(available)} available"
    if available < wanted_bytes:
        return Check.warning("memory", found, f"end other programs, or add some: {size(wanted_bytes)} are good")
    return Check.ok("memory", found)


def python() -> Check:
    """Whether this Python is one that Handfed runs on."""
    lowest, highest = _PYTHONS
    found = f"Python {platform.python_version()} on {sys.platform}-{platform.machine()}"
    if not lowest <= sys.version_info[:2] <= highest:
        return Check.failure("Python", found, "install Handfed with Python 3.11, 3.12 or 3.13")
    return Check.ok("Python", found)


def flower(distribution: str) -> Check:
    """Whether Flower is of the one version that a distribution of ours asks for.

    Args:
        distribution: `handfed-server` or `handfed-clients`.
    """
    name = "Flower"
    try:
        found, wanted = version("flwr"), _pinned(distribution, "flwr")
    except PackageNotFoundError as error:
        missing = str(error.name)
        return Check.failure(name, f"{missing} is not installed", f"pip install '{distribution}[train]'")
    if wanted is not None and found != wanted:
        return Check.failure(name, f"flwr {found}, and this Handfed needs {wanted}", f"pip install flwr=={wanted}")
    return Check.ok(name, f"flwr {found}")


def tensorflow() -> Check:
    """Whether TensorFlow is here to be imported; it is not imported."""
    name = "TensorFlow"
    try:
        found = version("tensorflow")
    except PackageNotFoundError:
        return Check.warning(name, "not installed: this machine cannot train", "pip install 'handfed-clients[train]'")
    if find_spec("tensorflow") is None:
        return Check.failure(name, f"tensorflow {found} is listed and not there", "install it anew")
    return Check.ok(name, f"tensorflow {found}")


def file_clock(directory: Path, *, now: float) -> Check:
    """Whether the file system of a directory has the time of this machine; a network's may have another.

    Args:
        directory: The directory; it need not exist yet.
        now: Seconds since 1970, by this machine's clock.
    """
    name = "clock of the disk"
    if not directory.is_dir():
        return Check.ok(name, "no folder yet")
    try:
        with tempfile.TemporaryFile(dir=directory) as file:
            written = os.fstat(file.fileno()).st_mtime
    except OSError as error:
        return Check.failure(name, f"{directory} cannot be written ({error.strerror})", "give it to this user")
    difference_s = written - now
    if abs(difference_s) > _FILE_CLOCK_TOLERANCE_S:
        return Check.warning(name, f"{abs(difference_s):.0f} s from this machine's", f"on both machines, {_SET_CLOCK}")
    return Check.ok(name, "as this machine's")


def ntp() -> Check:
    """Whether somebody keeps the clock right, where systemd tells."""
    name = "NTP"
    program = shutil.which("timedatectl")
    if program is None:
        return Check.ok(name, "this system does not tell")
    try:
        answer = subprocess.run(  # noqa: S603 - a fixed command
            [program, "show", "--property=NTPSynchronized", "--value"],
            capture_output=True,
            text=True,
            timeout=_TIMEDATECTL_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return Check.ok(name, "this system does not tell")
    match answer.stdout.strip():
        case "yes":
            return Check.ok(name, "the clock is synchronised")
        case "no":
            return Check.warning(name, "the clock is not synchronised", _SET_CLOCK)
    return Check.ok(name, "this system does not tell")


def private(name: str, paths: Iterable[Path]) -> Check:
    """Whether files and folders are their owner's alone, and the owner is who runs this.

    Args:
        name: What they are.
        paths: The files and folders; what is not there is passed over.
    """
    wrong: list[tuple[str, str]] = []
    looked_at = 0
    for path in paths:
        try:
            status = path.stat()
        except FileNotFoundError:
            continue
        except OSError as error:
            return Check.failure(name, f"{path} cannot be looked at ({error.strerror})", "run this as its owner")
        looked_at += 1
        if status.st_uid != os.geteuid():
            wrong.append((f"{path} belongs to another user", f"run this as that user, or chown {os.geteuid()} {path}"))
        elif stat.S_IMODE(status.st_mode) & 0o077:
            mode = "700" if stat.S_ISDIR(status.st_mode) else "600"
            wrong.append((f"{path} may be opened by others", f"chmod {mode} {path}"))
    if wrong:
        return Check.failure(name, ", ".join(found for found, _ in wrong), "; ".join(mend for _, mend in wrong))
    return Check.ok(name, "nobody else may read them" if looked_at else "none yet")


def size(count: int) -> str:
    """Bytes for people: `1.5 GB`, `20 MB`."""
    return f"{count / _GIGABYTE:.1f} GB" if count >= _GIGABYTE else f"{count / _MEGABYTE:.0f} MB"


def _pinned(distribution: str, library: str) -> str | None:
    """The one version of a library that a distribution asks for."""
    pattern = re.compile(rf"{re.escape(library)}==([^;,\s]+)")
    found = (pattern.match(requirement) for requirement in requires(distribution) or ())
    return next((match[1] for match in found if match), None)


def _available_memory() -> int | None:
    """Bytes, or None where the system does not tell (proc(5); cgroups v2)."""
    try:
        lines = dict(line.split(":", 1) for line in _MEMORY_INFO.read_text().splitlines())
        available = int(lines["MemAvailable"].split()[0]) * 1024
    except (OSError, KeyError, ValueError):
        return None
    try:
        limit = int(_MEMORY_LIMIT.read_text())
        used = int(_MEMORY_LIMIT.with_name("memory.current").read_text())
    except (OSError, ValueError):  # none, or `max`
        return available
    return min(available, max(limit - used, 0))
