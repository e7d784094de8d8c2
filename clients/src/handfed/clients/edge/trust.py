"""What a device knows of its registry: metadata that python-tuf has verified, kept so that no power cut loosens it.

    trust/
    ├── root_history/N.root.json    roots by version, from the one of the enrolment on
    ├── timestamp.json, snapshot.json, targets.json, channels.json
    └── timestamp.etag              the timestamp's entity tag: it is asked for only if it has changed

python-tuf replaces its files without fsync: a power cut can leave one empty, and python-tuf passes over such a file as
if there were none. With it would go what guards against older metadata. So python-tuf works in a scratch copy, and what
it has verified is copied here, each file synced before it takes its name.

Rules:
1. Every file here is whole, and was verified. What python-tuf verified before it refused something else stays: a
   timestamp that was seen counts, though the snapshot behind it did not come.
2. They are written in the order in which python-tuf reads them: a cut between two looks like a refresh that broke off.
3. The first root is that of the enrolment, always. It is the only thing that is believed without a signature.
4. The timestamp guards the snapshot's version, the snapshot those of all others: both are kept for good. A file that a
   failing disk damaged is fetched anew, and the other one still refuses what is older.

Source: The Update Framework 1.0.34, sections 5.3 to 5.7.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from tuf.api.exceptions import RepositoryError
from tuf.ngclient import Updater

from handfed.clients.edge.fetcher import Answer, Fetcher
from handfed.clients.edge.refusals import refusals_named
from handfed.clients.edge.store import refuse_link
from handfed.shared.errors import CertificateError, StorageError
from handfed.shared.files import make_private, sync_directory, write_atomically
from handfed.shared.registry import METADATA

_ROOTS: Final = "root_history"
_TIMESTAMP: Final = "timestamp.json"
_ETAG: Final = "timestamp.etag"
_ORDER: Final = (_TIMESTAMP, "snapshot.json", "targets.json")
_SCRATCH: Final = ".refresh-"


@contextmanager
def refreshed(directory: Path, server: str, root: bytes, fetcher: Fetcher) -> Iterator[tuple[Updater, Path]]:
    """The registry as it is now, for the block; what is verified meanwhile is kept.

    Args:
        directory: Where trust is kept; one process at a time.
        server: The server's URL, without a path.
        root: The registry's root that the enrolment gave.
        fetcher: Asks the registry.

    Yields:
        The refreshed updater, and where its metadata are.

    Raises:
        RefusedUpdateError: The registry breaks a rule.
        UpdateError: It cannot be reached.
        CertificateError: The enrolment's root is damaged.
        LinkError: A file of the store is a symbolic link.
        StorageError: The disk cannot be read or written.
    """
    for left in directory.glob(f"{_SCRATCH}*"):  # of a process that was killed
        shutil.rmtree(left, ignore_errors=True)
    url = f"{server}{METADATA}"
    try:
        with tempfile.TemporaryDirectory(dir=directory, prefix=_SCRATCH) as name:
            scratch = Path(name)
            _copy(directory, scratch)
            _remember(fetcher, url + _TIMESTAMP, directory)
            try:
                updater = Updater(str(scratch), url, fetcher=fetcher, bootstrap=root)
            except RepositoryError as error:
                raise CertificateError("the registry's root is damaged: restore it, or join anew") from error
            try:
                with refusals_named():
                    updater.refresh()
                    yield updater, scratch
            finally:
                _keep(scratch, directory)
                _keep_etag(fetcher, url + _TIMESTAMP, directory)
    except OSError as error:
        raise StorageError(f"cannot write {directory}: {error.strerror}; free space") from error


def _copy(trust: Path, scratch: Path) -> None:
    (scratch / _ROOTS).mkdir()
    for source, target in ((trust, scratch), (trust / _ROOTS, scratch / _ROOTS)):
        refuse_link(source)
        for path in source.glob("*.json"):
            refuse_link(path)
            shutil.copyfile(path, target / path.name)


def _keep(scratch: Path, trust: Path) -> None:
    """Writes what is new, in the order of rule 2."""
    if not (trust / _ROOTS).exists():
        make_private(trust / _ROOTS)
        sync_directory(trust)
    roots = sorted((scratch / _ROOTS).glob("*.json"), key=lambda path: int(path.name.partition(".")[0]))
    others = {path.name: path for path in scratch.glob("*.json") if not path.is_symlink()}
    ordered = [others.pop(name) for name in _ORDER if name in others]
    for path in (*roots, *ordered, *others.values()):
        kept = trust / path.relative_to(scratch)
        content = path.read_bytes()
        if not kept.is_file() or kept.read_bytes() != content:
            write_atomically(kept, content)


def _remember(fetcher: Fetcher, url: str, directory: Path) -> None:
    refuse_link(directory / _ETAG)
    try:
        etag = (directory / _ETAG).read_text(encoding="ascii")
        fetcher.known[url] = Answer(etag, (directory / _TIMESTAMP).read_bytes())
    except (OSError, ValueError):
        fetcher.known.pop(url, None)


def _keep_etag(fetcher: Fetcher, url: str, directory: Path) -> None:
    """Keeps the entity tag of a timestamp that was taken; one that was refused must not be asked for again."""
    answer, kept = fetcher.known.get(url), directory / _TIMESTAMP
    if answer is None or not answer.etag.isascii() or not kept.is_file() or kept.read_bytes() != answer.body:
        (directory / _ETAG).unlink(missing_ok=True)
        return
    path, content = directory / _ETAG, answer.etag.encode("ascii")
    if not path.is_file() or path.read_bytes() != content:
        write_atomically(path, content)
