"""What a person expects to read is told to the decoder."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from handfed.clients.edge.decoders import decoder
from handfed.shared.alphabet import Alphabet
from handfed.shared.errors import DatasetError, SettingError

LETTERS = Alphabet(tuple("abcdefghijklmnopqrstuvwxyz"))
UNSURE = 0.4  # of 1, the share of the letter that was written where another is more probable


ARPA = """\\data\\
ngram 1=5
ngram 2=2

\\1-grams:
-0.3\t<unk>
-99\t<s>
-1\t</s>
-1\ti\t-2
-1\ts\t-2

\\2-grams:
-0.01\ts p
-0.01\ti n

\\end\\
"""


def doubtful(written: str, misread: str) -> np.ndarray:
    """Logits (steps, classes + 1) of a text of which some letters look a little more like others."""
    probabilities = np.full((2 * len(written), len(LETTERS) + 1), 1e-4)
    for place, (wanted, taken) in enumerate(zip(written, misread, strict=True)):
        probabilities[2 * place, LETTERS.names.index(wanted)] = UNSURE
        probabilities[2 * place, LETTERS.names.index(taken)] = 0.9 if wanted == taken else 1 - UNSURE
        probabilities[2 * place + 1, -1] = 1
    return np.asarray(np.log(probabilities / probabilities.sum(axis=1, keepdims=True)), np.float32)


def read(lexicon: Path | None, language_model: Path | None) -> str:
    found = decoder(LETTERS, lexicon, language_model).decode(doubtful("aspirin", "asqirim"))
    return LETTERS.text_of(found.text)


@pytest.fixture
def words(tmp_path: Path) -> Path:
    path = tmp_path / "words.txt"
    path.write_text("ibuprofen aspirin\nparacetamol\n")
    return path


def test_without_expectations_the_most_probable_text_is_read() -> None:
    assert read(None, None) == "asqirim"


def test_a_lexicon_decides_where_the_ink_leaves_a_doubt(words: Path) -> None:
    assert read(words, None) == "aspirin"


def test_a_language_model_is_estimated_from_a_text(words: Path) -> None:
    assert read(None, words) == "aspirin"


def test_a_language_model_is_read_in_arpa_form(tmp_path: Path) -> None:
    path = tmp_path / "words.arpa"
    path.write_text(ARPA)
    assert read(None, path) == "aspirin"


def test_a_word_outside_the_lexicon_is_read_where_the_ink_is_clear(words: Path) -> None:
    logits = doubtful("zebra", "zebra") * 3
    assert LETTERS.text_of(decoder(LETTERS, words, None).decode(logits).text) == "zebra"


def test_two_expectations_are_one_too_many(words: Path) -> None:
    with pytest.raises(SettingError, match="leave one out"):
        decoder(LETTERS, words, words)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    for options in ((tmp_path / "none.txt", None), (None, tmp_path / "none.txt"), (None, tmp_path / "none.arpa")):
        with pytest.raises(DatasetError, match="none"):
            decoder(LETTERS, *options)
