"""A candidate in shadow: two releases read what this device holds out, and the device counts where they differ.

    python -m handfed.clients.device.shadow PARENT FOLDER CHAMPION CANDIDATE

prints a line when the candidate's turn comes, and then the JSON of `counted`. It is a process of its own, so that its
memory is let go, and a model that crashes it takes nobody along: what it was at by then is known by that line.

Rules:
1. What is compared on was chosen before either model was known: the writers that the store holds out for ever. No
   correction is among them, since people correct what the champion misread.
2. Both read the same samples: those whose label the champion's alphabet has. A reading is right where it is the label.
3. Counts are all that is printed, and of what goes wrong the kind of error.
4. The process holds handwriting in the clear: it ends with its parent, and leaves no core file.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

from handfed.clients.device.folder import store_in
from handfed.clients.device.shadow_process import CANDIDATE
from handfed.clients.device.store.store import Store
from handfed.clients.edge.health import limit_memory
from handfed.clients.edge.recogniser import Recogniser
from handfed.shared.errors import ConflictError, HandfedError
from handfed.shared.parent import die_with
from handfed.shared.release_reports import Comparison
from handfed.shared.samples import Samples


def compare(
    champion: Recogniser, candidate: Recogniser, held_out: Samples, *, begin: Callable[[], None] = lambda: None
) -> Comparison:
    """What only one of two releases reads right.

    Args:
        champion: The release in use.
        candidate: The release on trial; its alphabet may have grown.
        held_out: Handwriting, with labels of the champion's alphabet.
        begin: Is called when the candidate's turn comes.

    Raises:
        ConflictError: They are no releases of one kind of handwriting, or one is a bare file.
    """
    if champion.release is None or candidate.release is None or champion.task.kind != candidate.task.kind:
        raise ConflictError("only two releases that read one kind of handwriting can be compared")
    names = champion.alphabet.names
    labels = [[names[label] for label in written] for written in held_out.written()]

    def right(release: Recogniser) -> list[bool]:
        readings = [[release.alphabet.names[label] for label in found] for found in release.transcribe(held_out)]
        return [reading == label_names for reading, label_names in zip(readings, labels, strict=True)]

    by_champion = right(champion)
    begin()
    pairs = list(zip(by_champion, right(candidate), strict=True))
    only_champion, only_candidate = pairs.count((True, False)), pairs.count((False, True))
    return Comparison(champion.release, candidate.release, len(pairs), only_candidate, only_champion)


def counted(folder: Path, champion: Path, candidate: Path, *, begin: Callable[[], None] = lambda: None) -> Comparison:
    """Compares two releases on a device's held-out handwriting.

    Args:
        folder: The device's folder.
        champion: Directory of the release in use.
        candidate: Directory of the release on trial.
        begin: Is called when the candidate's turn comes.

    Raises:
        HandfedError: A release or the store cannot be used.
    """
    one, other = (Recogniser.open(release) for release in (champion, candidate))
    with Store.open(store_in(folder), make=False) as store:
        return compare(one, other, store.handwriting(one.task, one.alphabet).held_out, begin=begin)


def _tell() -> None:
    sys.stdout.write(f"{CANDIDATE}\n")
    sys.stdout.flush()


def main(arguments: list[str]) -> int:
    """Prints the counts; exit status 0, or that of the error."""
    parent, *places = arguments
    die_with(int(parent))
    limit_memory()
    try:
        folder, champion, candidate = map(Path, places)
        found = counted(folder, champion, candidate, begin=_tell)
    except Exception as error:  # noqa: BLE001 - the edge of a process: what an error says may be of a file
        sys.stderr.write(f"{type(error).__name__}\n")
        return error.exit_status if isinstance(error, HandfedError) else 1
    sys.stdout.write(json.dumps(vars(found)) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
