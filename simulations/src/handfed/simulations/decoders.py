"""What each decoder reads of held-out words or lines: the same outputs of one INT8 file, read four ways.

Only a simulation can tell: it sees what devices keep to themselves. Nothing of it is on the wire.

Rules:
1. Lexicon and n-grams are of the training texts and of no held-out one, with weights and orders as on the edge
   (`handfed.clients.edge.decoders`).
2. All decoders read at the release's temperature, as on the edge.
3. A word is what spaces part, without the punctuation around it. A held-out word is new if no training text contains
   it, spelt the same, capitals included.
4. An error is of a new word if, as what was written is aligned with what was read (Levenshtein 1966), a character of
   the word is replaced or left out, or one is put in before, within or right after it.
"""

from __future__ import annotations

import re
import statistics
import time
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from rapidfuzz.distance import Levenshtein

from handfed.clients.edge.decoders import of_texts, of_words
from handfed.shared.alphabet import SPACE, Alphabet
from handfed.shared.calibration import Reliability
from handfed.shared.datasets import Dataset
from handfed.shared.decoding import Decoder
from handfed.shared.decoding.beam import Beam
from handfed.shared.decoding.greedy import Greedy
from handfed.shared.decoding.ngram import ORDER
from handfed.shared.reading import Logits
from handfed.shared.samples import Samples
from handfed.shared.transcripts import Text, Transcripts
from handfed.simulations.partition import Partition

MOST_TEXTS: Final = 1_000  # of which a line takes up to 0.1 seconds a decoder
_SEED_KEY: Final = 3  # beside those of the partition and of device styles

_WORD: Final = re.compile(r"a(?:[a.]*a)?")  # of kinds of classes

Span = tuple[int, int]  # of places in a text: the first, and the one after the last
TextLogits = Callable[[Samples], Iterable[tuple[int, Logits]]]  # each text's row, and its logits (steps, classes + 1)


@dataclass(frozen=True)
class Figures:
    """How a decoder reads; rates are fractions.

    Attributes:
        decoder: Its name.
        cer: Character error rate.
        wer: Word error rate.
        cer_new_words: Errors in words that no training text contains, a character of them; None where there are none.
        texts_right: Texts without an error.
        expected_calibration_error: How far its confidences are from how often its texts are right.
        decode_ms_median: Milliseconds to decode one text, with its confidence.
    """

    decoder: str
    cer: float
    wer: float
    cer_new_words: float | None
    texts_right: float
    expected_calibration_error: float
    decode_ms_median: float


@dataclass(frozen=True)
class Decoders:
    """How decoders read the same held-out texts.

    Attributes:
        rows: The decoders, the cheapest first.
        texts: How many texts each read.
        held_out: Of how many, from which they were drawn.
        words: Words in the texts that were read, as often as they stand there.
        known_words: The fraction of them that the training texts contain too; 0 of no word.
    """

    rows: tuple[Figures, ...]
    texts: int
    held_out: int
    words: int
    known_words: float

    def as_json(self) -> dict[str, object]:
        """What `--json` prints of it."""
        return {
            "decoders": [asdict(each) for each in self.rows],
            "decoded_texts": self.texts,
            "decoded_words": self.words,
            "decoded_words_in_training_texts": self.known_words,
        }

    def note(self) -> str:
        """What a reader of the figures should know."""
        drawn = "" if self.texts == self.held_out else f" of {self.held_out:,}, drawn by the seed"
        return (
            f"On {self.texts:,} held-out texts{drawn}. Lexicon and n-grams are of the training texts alone, never of"
            f" held-out ones. Of {self.words:,} running words read here, the training texts contain"
            f" {self.known_words:.1%} too, spelt the same; the others are new words. Other handwriting may hold more of"
            " them."
        )


def decoders(dataset: Dataset, partition: Partition, logits: TextLogits, *, temperature: float, seed: int) -> Decoders:
    """Reads held-out texts with each decoder; of very many, of some drawn by the seed.

    Args:
        dataset: Words or lines.
        partition: Which of them are held out; at least one.
        logits: What a model gives of samples.
        temperature: What logits are divided by, above 0.
        seed: At least 0.
    """
    held_out, alphabet = np.flatnonzero(partition.held_out), dataset.alphabet
    rows, texts, kinds = _drawn(held_out, seed), dataset.samples.written(), _kinds(alphabet)
    training, written = ([texts[row] for row in some] for some in (np.flatnonzero(partition.training), rows))
    known = {tuple(text[start:end]) for text in training for start, end in _words(text, kinds)}
    words = [_words(text, kinds) for text in written]
    new = [
        [(start, end) for start, end in spans if tuple(text[start:end]) not in known]
        for text, spans in zip(written, words, strict=True)
    ]
    count = sum(map(len, words))
    by_name: dict[str, Decoder] = {
        "greedy": Greedy(),
        "beam": Beam(),
        "beam, lexicon": of_words(map(alphabet.text_of, sorted(known)), alphabet),
        f"beam, {ORDER}-grams": of_texts(map(alphabet.text_of, training), alphabet),
    }
    found = _decoded(by_name, logits(dataset.samples.take(rows)), len(rows), temperature)
    return Decoders(
        tuple(_figures(name, Transcripts(written, each.texts), each, new, alphabet) for name, each in found.items()),
        len(rows),
        len(held_out),
        count,
        (count - sum(map(len, new))) / max(count, 1),
    )


@dataclass(frozen=True)
class _Decoded:
    """What one decoder made of each text, by its row."""

    texts: list[Text]
    confidences: NDArray[np.float64]
    milliseconds: NDArray[np.float64]


def _decoded(
    by_name: Mapping[str, Decoder], logits: Iterable[tuple[int, Logits]], count: int, temperature: float
) -> dict[str, _Decoded]:
    found = {name: _Decoded([()] * count, np.zeros(count), np.zeros(count)) for name in by_name}
    for row, text in logits:
        calibrated = text / np.float32(temperature)
        for name, decoder in by_name.items():
            started = time.perf_counter()
            decoded = decoder.decode(calibrated)
            found[name].milliseconds[row] = (time.perf_counter() - started) * 1000
            found[name].texts[row] = decoded.text
            found[name].confidences[row] = decoded.confidence
    return found


def _figures(
    name: str, transcripts: Transcripts, decoded: _Decoded, new: Sequence[Sequence[Span]], alphabet: Alphabet
) -> Figures:
    return Figures(
        name,
        transcripts.cer,
        transcripts.wer(alphabet),
        _cer_within(transcripts, new),
        float(transcripts.correct.mean()),
        Reliability.of(decoded.confidences, transcripts.correct).expected_calibration_error(),
        statistics.median(decoded.milliseconds.tolist()),
    )


def _cer_within(transcripts: Transcripts, spans: Sequence[Sequence[Span]]) -> float | None:
    """Errors in parts of texts, a character of those parts; None where there is none.

    Args:
        transcripts: The texts.
        spans: Where each text's parts start and end, in what was written.
    """
    errors = characters = 0
    for written, read, parts in zip(transcripts.written, transcripts.read, spans, strict=True):
        edits = Levenshtein.editops(written, read) if parts else ()
        for start, end in parts:
            characters += end - start
            errors += sum(start <= edit.src_pos < end + (edit.tag == "insert") for edit in edits)
    return errors / characters if characters else None


def _drawn(rows: NDArray[np.int64], seed: int) -> NDArray[np.int64]:
    """The rows, or as many as are read, in order."""
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(_SEED_KEY,)))
    return rows if len(rows) <= MOST_TEXTS else np.sort(rng.choice(rows, MOST_TEXTS, replace=False))


def _kinds(alphabet: Alphabet) -> str:
    """A character a class: a space for what parts words, a full stop for punctuation and symbols, else a letter."""
    marks = [all(unicodedata.category(character)[0] in "PS" for character in name) for name in alphabet.names]
    return "".join(
        SPACE if name == SPACE else "." if mark else "a" for name, mark in zip(alphabet.names, marks, strict=True)
    )


def _words(text: Text, kinds: str) -> list[Span]:
    """Where each word of a text starts and ends."""
    return [found.span() for found in _WORD.finditer("".join(kinds[label] for label in text))]
