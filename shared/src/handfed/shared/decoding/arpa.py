"""N-gram models of characters from ARPA files, which KenLM, SRILM and others write.

UTF-8 text: a header with the number of n-grams of each order, then for each order a section of lines

    <log10 probability> <n-gram> [<log10 back-off weight>]

whose n-gram is symbols with spaces between. Here a symbol is a class name. Rules:
1. A space in a class name is written `<space>`; `<s>` and `</s>` are the start and the end of a text.
2. What the recogniser does not read is passed over: n-grams with any other symbol.
3. Classes that the file does not name share the probability of `<unk>`; where it has none, the file is refused.

Source: ngram-format(5) of SRILM.
"""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from handfed.shared.alphabet import Alphabet
from handfed.shared.decoding.ngram import Context, NGram
from handfed.shared.errors import DatasetError

START: Final = "<s>"
END: Final = "</s>"
UNKNOWN: Final = "<unk>"
SPACE: Final = "<space>"

_NATS: Final = math.log(10)
_SECTION: Final = re.compile(r"\\([1-9][0-9]?)-grams:")
_BLANK: Final = " \t\r"  # no other space parts symbols: one with no break may be a symbol itself
_BLANKS: Final = re.compile(f"[{_BLANK}]+")
_Entry = tuple[Context, float, float]  # an n-gram, with its probability and its back-off weight in nats


def read(path: Path, alphabet: Alphabet) -> NGram:
    """Reads a model.

    Args:
        path: The file.
        alphabet: The recogniser's classes.

    Raises:
        DatasetError: The file cannot be read, is no ARPA file, or says nothing of a class; the message names the line.
    """
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except OSError as error:
        raise DatasetError(f"{path}: cannot be read ({error.strerror}); name an ARPA file") from error
    except UnicodeDecodeError:
        raise DatasetError(f"{path}: is not UTF-8; save the model as UTF-8") from None
    symbols = {name: label for label, name in enumerate([*alphabet.names, END, START])}
    followers: defaultdict[Context, dict[int, float]] = defaultdict(dict)
    backoffs: dict[Context, float] = {}
    symbols[UNKNOWN] = unknown = len(symbols)
    for gram, nats, backoff in _entries(lines, symbols, str(path)):
        if gram[-1] <= len(alphabet) or gram == (unknown,):  # a start is never what comes next
            followers[gram[:-1]][gram[-1]] = nats
        if backoff:
            backoffs[gram] = backoff
    _share_unknown(followers[()], followers[()].pop(unknown, None), alphabet, str(path))
    return NGram(len(alphabet), dict(followers), backoffs)


def _entries(lines: list[str], symbols: dict[str, int], where: str) -> Iterator[_Entry]:
    """The n-grams of a file that are made of these symbols."""
    order = 0
    for number, line in enumerate(lines, start=1):
        content = line.strip(_BLANK)
        section = _SECTION.fullmatch(content)
        if section:
            order = int(section[1])
        elif content == "\\end\\":
            return
        elif order and content:
            entry = _entry(_BLANKS.split(content), order, symbols, f"{where}, line {number}")
            if entry is not None:
                yield entry
    raise DatasetError(f"{where}: is no ARPA file, or is cut off: it has no line \\end\\")


def _entry(cells: list[str], order: int, symbols: dict[str, int], where: str) -> _Entry | None:
    """An n-gram; None where it has a symbol of no class.

    Raises:
        DatasetError: The line has another form.
    """
    try:
        nats, backoff = (float(cell) * _NATS for cell in (cells[0], (*cells, "0")[order + 1]))
    except (ValueError, IndexError):
        raise DatasetError(f"{where}: is no {order}-gram with its log10 probability and back-off weight") from None
    if len(cells) > order + 2 or not (nats <= 0 and math.isfinite(nats) and math.isfinite(backoff)):
        raise DatasetError(f"{where}: is no {order}-gram with its log10 probability and back-off weight")
    gram = [symbols.get(cell.replace(SPACE, " "), -1) for cell in cells[1 : order + 1]]
    return None if -1 in gram else (tuple(gram), nats, backoff)


def _share_unknown(unigrams: dict[int, float], unknown: float | None, alphabet: Alphabet, where: str) -> None:
    """Shares the probability of the unknown among the classes, and the end, that a file does not name.

    Raises:
        DatasetError: The file has no probability of the unknown.
    """
    missing = [label for label in range(len(alphabet) + 1) if label not in unigrams]
    if not missing:
        return
    if unknown is None:
        names = [*alphabet.names, END]
        raise DatasetError(
            f"{where}: has no probability of {names[missing[0]]!r} ({len(missing)} of {len(names)} are missing), nor of"
            f" {UNKNOWN}; estimate it on texts with every class"
        )
    unigrams |= {label: unknown - math.log(len(missing)) for label in missing}
