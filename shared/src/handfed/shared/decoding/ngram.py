"""A language model of how characters follow one another: n-grams of classes.

Estimated by interpolated Witten-Bell smoothing: after a context h that was followed by T(h) different classes,

    p(w | h) = (count(h w) + T(h) p(w | h')) / (count(h) + T(h)),  h' = h without its first class,

and before the shortest context all classes are alike. It needs no setting and, unlike Kneser-Ney's discounts, no rare
classes: of characters few are seen once, whatever the text.

Sources: Witten and Bell 1991, doi:10.1109/18.87000, method C; Chen and Goodman 1999, doi:10.1006/csla.1999.0128,
section 2.6. A model is kept as n-grams with back-off weights, which is how ARPA files have it.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from handfed.shared.alphabet import SPACE, Alphabet
from handfed.shared.errors import DatasetError

ORDER: Final = 5
_KEPT: Final = 4096  # answers
_FOREIGN: Final = -1  # a character that the alphabet lacks

Context = tuple[int, ...]  # classes that came before, the last one last


class NGram:
    """N-grams of classes, walked along as a `LanguageModel`.

    Beside the classes 0, 1, ... there are two symbols: `classes` is the end of a text, `classes + 1` its start.

    Attributes:
        classes: How many there are.
        followers: Natural logarithms of the probabilities of what was seen after each context; after the empty one, of
            every class and the end.
        backoffs: Natural logarithms of what is left, after each context, for all that was not seen; 0 by default.
    """

    def __init__(
        self, classes: int, followers: Mapping[Context, Mapping[int, float]], backoffs: Mapping[Context, float]
    ) -> None:
        self.classes, self.followers, self.backoffs = classes, followers, backoffs
        self._longest = max(map(len, [*followers, *backoffs]))
        self.log_probabilities = lru_cache(maxsize=_KEPT)(self._log_probabilities)

    @classmethod
    def estimate(cls, texts: Iterable[str], alphabet: Alphabet, *, order: int = ORDER) -> Self:
        """Counts n-grams in texts and smooths them.

        Args:
            texts: What is written; a character that the alphabet lacks parts what stands around it.
            alphabet: The recogniser's classes.
            order: The longest n-gram, at least 1.
        """
        end, start = len(alphabet), len(alphabet) + 1
        labels = {name: label for label, name in enumerate(alphabet.names)}
        counts: defaultdict[Context, Counter[int]] = defaultdict(Counter, {(): Counter()})
        for text in texts:
            _count([start, *(labels.get(name, _FOREIGN) for name in alphabet.tokenise(text)), end], order, counts)
        return cls(end, *_witten_bell(counts, end + 1))

    def _log_probabilities(self, context: Context) -> NDArray[np.float64]:
        """float64 (classes + 1,), nats: of each class, and of the end, after a context."""
        if context:
            found = self.log_probabilities(context[1:]) + self.backoffs.get(context, 0.0)
        else:
            found = np.full(self.classes + 1, -np.inf)
        seen = self.followers.get(context, {})
        found[list(seen)] = list(seen.values())
        return found

    def start(self) -> Context:
        """Before the first class."""
        return self._known((self.classes + 1,))

    def scores(self, state: Context) -> NDArray[np.float64]:
        """float64 (classes,), nats: of each class as the next one."""
        return self.log_probabilities(state)[:-1]

    def after(self, state: Context, label: int) -> Context:
        """The state after one more class."""
        return self._known((*state, label)[-self._longest :] if self._longest else ())

    def end(self, state: Context) -> float:
        """Nats: of the end."""
        return float(self.log_probabilities(state)[-1])

    def _known(self, context: Context) -> Context:
        """The longest end of a context that anything is known about."""
        while context and context not in self.followers and context not in self.backoffs:
            context = context[1:]
        return context


def read_texts(path: Path, alphabet: Alphabet) -> list[str]:
    """The texts of a plain text file: its lines, or where the alphabet has no space, its words.

    Raises:
        DatasetError: The file cannot be read, is not UTF-8, or is blank.
    """
    try:
        content = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise DatasetError(f"{path}: cannot be read ({error.strerror}); name a text file") from error
    except UnicodeDecodeError:
        raise DatasetError(f"{path}: is not UTF-8; save the text as UTF-8") from None
    texts = content.splitlines() if SPACE in alphabet.names else content.split()
    found = [" ".join(text.split()) for text in texts if text.strip()]
    if not found:
        raise DatasetError(f"{path}: holds no text")
    return found


def _count(symbols: list[int], order: int, counts: defaultdict[Context, Counter[int]]) -> None:
    """Counts the n-grams of one text, whose first symbol is its start."""
    for place in range(1, len(symbols)):
        for length in range(min(order, place + 1)):
            context = tuple(symbols[place - length : place])
            if _FOREIGN in (*context, symbols[place]):
                break
            counts[context][symbols[place]] += 1


def _witten_bell(
    counts: Mapping[Context, Counter[int]], symbols: int
) -> tuple[dict[Context, dict[int, float]], dict[Context, float]]:
    """Natural logarithms of the probabilities of what was seen, and of back-off weights, by context."""
    unigrams = counts[()]
    held = max(len(unigrams), 1)  # T; of no text, all symbols are alike
    whole = unigrams.total() + held
    probabilities: dict[Context, dict[int, float]] = {}
    probabilities[()] = {symbol: (unigrams[symbol] + held / symbols) / whole for symbol in range(symbols)}
    backoffs: dict[Context, float] = {}
    for context in sorted(filter(None, counts), key=len):
        seen, shorter = counts[context], probabilities[context[1:]]
        whole = seen.total() + len(seen)
        backoffs[context] = float(np.log(len(seen) / whole))
        probabilities[context] = {
            symbol: (count + len(seen) * shorter[symbol]) / whole for symbol, count in seen.items()
        }
    logs = {
        context: dict(zip(seen, np.log(list(seen.values())).tolist(), strict=True))
        for context, seen in probabilities.items()
    }
    return logs, backoffs
