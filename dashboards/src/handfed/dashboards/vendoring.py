"""Brings the libraries of the pages into the package: `python -m handfed.dashboards.vendoring`.

`pins.json` names each npm package by its exact version and the hash of its archive (SHA-512, as npm's lock files have
it: W3C Subresource Integrity), and the few files of it that the pages use, licences included. Rules:
1. Nothing is unpacked whose hash is another than the pinned one, and nothing but the named files.
2. What is there already and right is not fetched again: a file `complete` holds the hash of the pins.
3. Files are kept as they came, but that a module which imports another package by its name imports the file here: a
   browser's worker knows no import map.
4. Every package comes with the text of its licence. Where its archive only names it, the text is ours, of `licences/`.

The registry is that of `NPM_CONFIG_REGISTRY`, or else of npm's own configuration; none is written here.

Exit status: 0 everything is there; 1 it could not be fetched, or is not what was pinned.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from handfed.shared.errors import HandfedError

PINS: Final = Path(__file__).parent / "pins.json"
LICENCES: Final = Path(__file__).parent / "licences"
VENDOR: Final = Path(__file__).parent / "static" / "vendor"
COMPLETE: Final = "complete"
_PATIENCE_S: Final = 60

Fetch = Callable[[str], bytes]


class VendoringError(HandfedError):
    """A library cannot be had, or is not the one that was pinned."""


@dataclass(frozen=True)
class Pin:
    """A package of npm, and what of it is used.

    Attributes:
        package: Its name.
        version: Exactly.
        licence: Under which terms.
        integrity: `sha512-` and the hash of its archive, base64.
        files: For each file of the archive, what it is called here.
        imports: For each package that its modules import, the file here.
        terms: The text of its licence in `licences/`; None where the archive has it.
    """

    package: str
    version: str
    licence: str
    integrity: str
    files: Mapping[str, str]
    imports: Mapping[str, str] = field(default_factory=dict)
    terms: str | None = None

    @property
    def path(self) -> str:
        """Where a registry has the archive."""
        return f"{self.package}/-/{self.package.rpartition('/')[2]}-{self.version}.tgz"


def pins(path: Path = PINS) -> list[Pin]:
    """What is pinned."""
    return [Pin(**each) for each in json.loads(path.read_text("utf-8"))]


def is_complete(vendor: Path = VENDOR, path: Path = PINS) -> bool:
    """Whether the libraries that are pinned now are there."""
    try:
        return (vendor / COMPLETE).read_text("ascii").strip() == _hash_of(path)
    except OSError:
        return False


def vendor_all(fetch: Fetch, vendor: Path = VENDOR, path: Path = PINS) -> None:
    """Fetches what is pinned, and puts it in place in one step.

    Args:
        fetch: Gives the archive at a path of the registry.
        vendor: Where to.
        path: What is pinned.

    Raises:
        VendoringError: An archive is not the pinned one, or lacks a file.
    """
    building = vendor.with_name(f".{vendor.name}")
    shutil.rmtree(building, ignore_errors=True)
    building.mkdir(parents=True)
    for pin in pins(path):
        for name, content in unpacked(pin, fetch(pin.path)).items():
            (building / name).write_bytes(content)
    (building / COMPLETE).write_text(f"{_hash_of(path)}\n", "ascii")
    shutil.rmtree(vendor, ignore_errors=True)
    building.rename(vendor)


def unpacked(pin: Pin, archive: bytes) -> dict[str, bytes]:
    """The files of an archive that are used, by what they are called here.

    Raises:
        VendoringError: It is not the pinned one, or lacks a file.
    """
    found = "sha512-" + base64.b64encode(hashlib.sha512(archive).digest()).decode("ascii")
    if found != pin.integrity:
        raise VendoringError(f"{pin.package} {pin.version} is not what was pinned: its hash is {found}")
    with tarfile.open(fileobj=io.BytesIO(archive), mode="r:gz") as opened:
        members = {member.name: member for member in opened if member.isfile()}
        missing = sorted(set(pin.files) - set(members))
        if missing:
            raise VendoringError(f"{pin.package} {pin.version} has no {missing[0]}")
        read = {here: opened.extractfile(members[there]) for there, here in pin.files.items()}
        kept = {here: file.read() for here, file in read.items() if file is not None}
    if pin.terms is not None:
        kept[f"{pin.package.rpartition('/')[2]}.LICENSE"] = (LICENCES / pin.terms).read_bytes()
    return {
        here: _with_imports(content, pin.imports) if here.endswith(".js") else content for here, content in kept.items()
    }


def _with_imports(module: bytes, imports: Mapping[str, str]) -> bytes:
    """A module that imports files beside it, and not packages."""
    for package, here in imports.items():
        module = module.replace(f'from "{package}"'.encode(), f'from "./{here}"'.encode())
    return module


def registry(environment: Mapping[str, str] = os.environ) -> str:
    """The address of the registry.

    Raises:
        VendoringError: Nobody says which.
    """
    told = environment.get("NPM_CONFIG_REGISTRY") or environment.get("npm_config_registry")
    npm = shutil.which("npm", path=environment.get("PATH"))
    if not told and npm is not None:
        asked = subprocess.run([npm, "config", "get", "registry"], capture_output=True, text=True, check=False)  # noqa: S603 - npm itself
        told = asked.stdout.strip()
    if not told or not told.startswith("http"):
        raise VendoringError("no npm registry is known: install npm, or name its address in NPM_CONFIG_REGISTRY")
    return told.rstrip("/")


def fetch_from(address: str) -> Fetch:
    """What fetches from a registry."""

    def fetch(path: str) -> bytes:
        try:
            with urllib.request.urlopen(f"{address}/{path}", timeout=_PATIENCE_S) as answer:  # noqa: S310 - an address that starts with http, and what comes is checked
                content: bytes = answer.read()
                return content
        except (urllib.error.URLError, TimeoutError) as error:
            raise VendoringError(
                f"cannot fetch {path.partition('/')[0]} from the npm registry: {error}; name another registry in"
                " NPM_CONFIG_REGISTRY"
            ) from error

    return fetch


def main(arguments: Sequence[str]) -> int:
    """Fetches what is missing; `--force` also what is there."""
    if is_complete() and "--force" not in arguments:
        return 0
    try:
        vendor_all(fetch_from(registry()))
    except VendoringError as error:
        sys.stderr.write(f"handfed: {error}\n")
        return error.exit_status
    sys.stdout.write(f"the libraries of the pages are in {VENDOR}\n")
    return 0


def _hash_of(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
