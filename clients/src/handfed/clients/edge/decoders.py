"""The decoder that a person asks for: a beam, with a lexicon or a language model of their own.

Weights are those that read best of words of unseen writers (decision 11). A device's own words or texts stay on it.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Final

from handfed.shared.alphabet import Alphabet
from handfed.shared.decoding import arpa
from handfed.shared.decoding.beam import Beam
from handfed.shared.decoding.language_model import Weighted
from handfed.shared.decoding.lexicon import Lexicon, cased
from handfed.shared.decoding.ngram import NGram, read_texts
from handfed.shared.errors import SettingError

ARPA: Final = ".arpa"
_UNKNOWN: Final = -8.0  # nats, of a word outside the lexicon: it must be 3,000 times as probable as those within
_WEIGHT: Final = 0.5  # alpha
_BONUS: Final = 1.5  # beta, nats a character


def decoder(alphabet: Alphabet, lexicon: Path | None, language_model: Path | None) -> Beam:
    """Builds a decoder.

    Args:
        alphabet: The recogniser's classes.
        lexicon: A text file whose words are expected; other words are read where the ink leaves no doubt.
        language_model: An n-gram model of characters in ARPA form (`.arpa`), or a text to estimate one from.

    Raises:
        SettingError: Both are given.
        DatasetError: A file cannot be read or is damaged.
    """
    if lexicon and language_model:
        raise SettingError("--lexicon and --language-model both say what to expect; leave one out")
    if lexicon:
        return of_words((word for text in read_texts(lexicon, alphabet) for word in text.split()), alphabet)
    if language_model is None:
        return Beam()
    if language_model.suffix == ARPA:
        return _of_ngrams(arpa.read(language_model, alphabet))
    return of_texts(read_texts(language_model, alphabet), alphabet)


def of_words(words: Iterable[str], alphabet: Alphabet) -> Beam:
    """Expects words, in small letters and capitals; others where the ink leaves no doubt."""
    return Beam(model=Lexicon(cased(words), alphabet, unknown=_UNKNOWN))


def of_texts(texts: Iterable[str], alphabet: Alphabet) -> Beam:
    """Expects characters to follow one another as in texts: by n-grams of the usual order."""
    return _of_ngrams(NGram.estimate(texts, alphabet))


def _of_ngrams(model: NGram) -> Beam:
    return Beam(model=Weighted(model, _WEIGHT, _BONUS))
