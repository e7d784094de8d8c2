"""What decoders are told of held-out words, and what is counted of how they read them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from handfed.shared.alphabet import Alphabet
from handfed.shared.datasets import Dataset
from handfed.shared.reading import Logits
from handfed.shared.samples import Samples
from handfed.shared.transcripts import Transcripts
from handfed.simulations import decoders as module
from handfed.simulations.decoders import Decoders, Figures, _cer_within, _drawn, _kinds, _words, decoders
from handfed.simulations.partition import Partition

ALPHABET = Alphabet(tuple("abcdefghijklmnopqrstuvwxyzB',. 1"))
Reader = Callable[[Samples], Iterable[tuple[int, Logits]]]


def classes(text: str) -> list[int]:
    return [ALPHABET.names.index(character) for character in text]


def texts(training: Sequence[str], held_out: Sequence[str]) -> tuple[Dataset, Partition]:
    """Texts without ink, of one device."""
    written = [classes(text) for text in (*training, *held_out)]
    samples = Samples.of_texts([np.zeros((32, 16), np.uint8)] * len(written), written)
    mask = np.arange(len(written)) >= len(training)
    return Dataset("texts", ALPHABET, samples, None, "", ""), Partition(
        np.zeros(len(written), np.int32), mask, np.zeros_like(mask), 1, "image"
    )


def doubtful(misread: dict[str, str]) -> Reader:
    """A model that reads what was written, the last text first; with a look-alike, where there is one, 3 to 2."""

    def logits(samples: Samples) -> Iterable[tuple[int, Logits]]:
        for row, written in reversed(list(enumerate(samples.written()))):
            taken = classes(misread.get(ALPHABET.text_of(written), ALPHABET.text_of(written)))
            probabilities = np.full((2 * len(written), len(ALPHABET) + 1), 1e-5)
            for place, (right, wrong) in enumerate(zip(written, taken, strict=True)):
                probabilities[2 * place, right] = 0.4
                probabilities[2 * place, wrong] = 1.0 if right == wrong else 0.6
                probabilities[2 * place + 1, -1] = 1
            yield row, np.log(probabilities).astype(np.float32)

    return logits


def read(training: Sequence[str], held_out: Sequence[str], misread: dict[str, str], **others: float) -> Decoders:
    return decoders(*texts(training, held_out), doubtful(misread), temperature=others.get("temperature", 1.0), seed=0)


def of(found: Decoders) -> dict[str, Figures]:
    return {each.decoder: each for each in found.rows}


OTHERS = ["aspic", "despair", "inspire", "margarine"]


def test_what_training_writers_wrote_is_expected() -> None:
    found = of(read(["aspirin", "aspirin", *OTHERS], ["aspirin"], {"aspirin": "asqirin"}))
    assert list(found) == ["greedy", "beam", "beam, lexicon", "beam, 5-grams"]
    assert [each.cer for each in found.values()] == [1 / 7, 1 / 7, 0, 0]
    assert [each.wer for each in found.values()] == [1, 1, 0, 0]
    assert [each.texts_right for each in found.values()] == [0, 0, 1, 1]


def test_no_decoder_is_told_what_was_held_out() -> None:
    """Had lexicon or n-grams seen the held-out word, they would read it, as they do where it was trained on."""
    misread = {"kyzyl": "kvzvl"}
    found = of(read(OTHERS, ["kyzyl"] * 9, misread))
    assert [each.cer for each in found.values()] == [2 / 5] * 4
    known = of(read([*OTHERS, *["kyzyl"] * 9], ["kyzyl"] * 9, misread))
    assert [each.cer for each in known.values()] == [2 / 5, 2 / 5, 0, 0]


def test_a_lexicon_keeps_to_words_of_training_texts_without_the_punctuation_around_them() -> None:
    found = of(read(["despair, margarine."], ["margarine despair"], {"margarine despair": "nargarine despain"}))
    assert found["beam, lexicon"].cer == 0
    assert found["greedy"].cer == 2 / 17


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("ab", ["ab"]),
        ("'ab, c.' b", ["ab", "c", "b"]),
        ("don't 'B.", ["don't", "B"]),
        (" ., ab ", ["ab"]),
        ("11 1.1", ["11", "1.1"]),
        (",.", []),
    ],
)
def test_words_are_what_spaces_part_without_punctuation_around_them(text: str, words: list[str]) -> None:
    assert [text[start:end] for start, end in _words(classes(text), _kinds(ALPHABET))] == words


def test_words_of_a_script_keep_the_marks_that_end_them() -> None:
    script = Alphabet(("क", "ि", "।"))
    assert _words([0, 1, 2], _kinds(script)) == [(0, 2)]


def test_running_words_are_known_if_a_training_text_contains_them_spelt_the_same() -> None:
    found = read(["ab, ca", "bab"], ["ab ab", "Bab", "ca. ac", "bab."], {})
    assert (found.texts, found.held_out, found.words) == (4, 4, 6)
    assert found.known_words == 4 / 6
    assert found.as_json()["decoded_words_in_training_texts"] == 4 / 6


def test_errors_of_new_words_are_counted_in_them_alone() -> None:
    misread = {"ab cd": "af fd", "ab": "fb"}
    found = read(["ab"], ["ab cd", "ab"], misread)
    assert of(found)["greedy"].cer == 3 / 7
    assert of(found)["greedy"].cer_new_words == 1 / 2
    assert all(each.cer_new_words is None for each in read(["ab"], ["ab"], {}).rows)


@given(st.lists(st.tuples(st.text("ab", min_size=1, max_size=5), st.text("ab ", max_size=6)), min_size=1, max_size=4))
def test_where_all_is_one_new_word_its_error_rate_is_that_of_all(pairs: list[tuple[str, str]]) -> None:
    transcripts = Transcripts([classes(text) for text, _ in pairs], [classes(text) for _, text in pairs])
    assert _cer_within(transcripts, [[(0, len(text))] for text, _ in pairs]) == pytest.approx(transcripts.cer)


def test_a_higher_temperature_makes_readings_less_sure_and_so_changes_how_far_they_are_off() -> None:
    misread = {"ab": "cb"}
    sure, unsure = (of(read(["ab"], ["ab"], misread, temperature=each)) for each in (0.25, 1.0))
    assert sure["greedy"].expected_calibration_error > unsure["greedy"].expected_calibration_error > 0.5


def test_of_very_many_texts_some_are_drawn_by_the_seed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_TEXTS", 20)
    found = read(["ab"], ["ab"] * 30, {})
    assert (found.texts, found.held_out, found.words) == (20, 30, 20)
    assert "On 20 held-out texts of 30, drawn by the seed." in found.note()
    rows = np.arange(100, 200)
    assert np.array_equal(_drawn(rows, 1), _drawn(rows, 1))
    assert not np.array_equal(_drawn(rows, 1), _drawn(rows, 2))
    assert np.array_equal(_drawn(rows[:20], 1), rows[:20])
    assert set(_drawn(rows, 1)) < set(rows)


def test_the_note_says_of_what_lexicon_and_n_grams_are() -> None:
    note = read(["ab"], ["ab", "cd"], {}).note()
    assert note.startswith("On 2 held-out texts. Lexicon and n-grams are of the training texts alone")
    assert "the training texts contain 50.0% too" in note
