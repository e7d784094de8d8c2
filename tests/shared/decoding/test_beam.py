"""The most probable texts, summed over the paths that say them."""

from __future__ import annotations

import itertools
import math
from collections import defaultdict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from handfed.shared import ctc
from handfed.shared.alphabet import Alphabet
from handfed.shared.decoding import Decoded
from handfed.shared.decoding.beam import Beam
from handfed.shared.decoding.greedy import Greedy
from handfed.shared.decoding.language_model import LanguageModel, Weighted
from handfed.shared.decoding.lexicon import Lexicon
from handfed.shared.decoding.ngram import NGram

ALPHABET = Alphabet(("a", "b", "'"))
EVERYTHING = 10_000
Text = tuple[int, ...]

outputs = st.tuples(st.integers(0, 5), st.just(len(ALPHABET) + 1)).flatmap(
    lambda shape: arrays.arrays(np.float32, shape, elements=st.floats(-4, 4, width=32))
)


def unbounded(model: LanguageModel[Text] | None = None) -> Beam:
    return Beam(EVERYTHING, model, least_probability=0.0, classes_a_step=EVERYTHING, alternatives=EVERYTHING)


def said_by(path: Text) -> Text:
    """What a path says: repeats merged, then blanks left out."""
    return tuple(label for label, _ in itertools.groupby(path) if label != len(ALPHABET))


def enumerated(logits: np.ndarray) -> dict[Text, float]:
    """Every text with the sum of the probabilities of all paths that say it."""
    probabilities = np.exp(ctc.log_softmax(logits))
    found: defaultdict[Text, float] = defaultdict(float)
    for path in itertools.product(range(len(ALPHABET) + 1), repeat=len(logits)):
        found[said_by(path)] += math.prod(probabilities[step, label] for step, label in enumerate(path))
    return dict(found)


def factor(model: LanguageModel[Text], text: Text) -> float:
    """What a model multiplies the probability of a text by."""
    state, nats = model.start(), 0.0
    for label in text:
        nats += float(model.scores(state)[label])
        state = model.after(state, label)
    return math.exp(nats + model.end(state))


def by_text(decoded: Decoded) -> dict[Text, float]:
    return dict([(decoded.text, decoded.confidence), *decoded.alternatives])


@given(outputs)
def test_a_beam_without_bounds_gives_what_counting_every_path_gives(logits: np.ndarray) -> None:
    expected, found = enumerated(logits), unbounded().decode(logits)
    assert by_text(found) == pytest.approx(expected)
    assert found.confidence == pytest.approx(max(expected.values()))
    assert sum(by_text(found).values()) == pytest.approx(1)


@given(outputs)
def test_with_n_grams_a_text_is_weighed_by_them(logits: np.ndarray) -> None:
    model = Weighted(NGram.estimate(["ab", "a'b", "bb"], ALPHABET, order=3), weight=0.7, bonus=0.4)
    weighed = {text: mass * factor(model, text) for text, mass in enumerated(logits).items()}  # type: ignore[arg-type]
    expected = {text: mass / sum(weighed.values()) for text, mass in weighed.items()}
    assert by_text(unbounded(model).decode(logits)) == pytest.approx(expected)  # type: ignore[arg-type]


@given(outputs)
def test_with_a_lexicon_texts_share_what_those_it_allows_have(logits: np.ndarray) -> None:
    lexicon = Lexicon(["ab", "a'b", "b"], ALPHABET)
    allowed = {text: mass for text, mass in enumerated(logits).items() if factor(lexicon, text)}
    expected = {text: mass / sum(allowed.values()) for text, mass in allowed.items()}
    assert by_text(unbounded(lexicon).decode(logits)) == pytest.approx(expected)


@given(outputs, st.integers(1, 6), st.floats(0, 0.3), st.integers(1, 4))
def test_a_bounded_beam_never_claims_more_than_the_whole(
    logits: np.ndarray, width: int, least: float, classes: int
) -> None:
    exact = enumerated(logits)
    found = Beam(width, least_probability=least, classes_a_step=classes, alternatives=EVERYTHING).decode(logits)
    probabilities = list(by_text(found).values())
    assert len(probabilities) == 1 + len(found.alternatives) <= width
    assert probabilities == sorted(probabilities, reverse=True)
    assert all(mass <= exact[text] + 1e-9 for text, mass in by_text(found).items())


def test_a_beam_reads_what_no_single_path_says_best() -> None:
    # Blank is the best class of both steps (0.36), yet the three paths that say "a" have more together (0.64).
    logits = np.log(np.array([[0.4, 1e-9, 1e-9, 0.6]] * 2)).astype(np.float32)
    assert Greedy().decode(logits).text == ()
    assert Beam().decode(logits).text == (0,)
    assert Beam().decode(logits).confidence == pytest.approx(0.64, abs=1e-6)


@given(outputs)
def test_greedy_is_as_sure_as_all_paths_of_its_text(logits: np.ndarray) -> None:
    found = Greedy().decode(logits)
    assert found.confidence == pytest.approx(enumerated(logits)[found.text])
    assert found.confidence <= unbounded().decode(logits).confidence + 1e-9


@given(outputs, st.lists(st.integers(0, 2), max_size=6))
def test_a_likelihood_is_that_of_counting_every_path(logits: np.ndarray, text: list[int]) -> None:
    found = ctc.log_likelihood(ctc.log_softmax(np.stack([logits, logits / 2])), text)
    for likelihood, opinion in zip(found, (logits, logits / 2), strict=True):
        assert math.exp(likelihood) == pytest.approx(enumerated(opinion).get(tuple(text), 0.0))


def test_a_long_line_of_which_nothing_is_known_does_not_underflow() -> None:
    found = Beam().decode(np.zeros((2000, 75), np.float32))
    assert 0 <= found.confidence < 1e-9
    assert len(found.alternatives) == 3


def test_a_step_that_rules_everything_out_ends_no_beam() -> None:
    logits = np.full((3, 4), -1e4, np.float32)
    logits[:, 1] = 0.0  # nothing but "b", which the lexicon lacks
    found = Beam(model=Lexicon(["a"], ALPHABET)).decode(logits)
    assert found.text == ()
    assert found.confidence == pytest.approx(1)  # of what the lexicon allows, nothing else is in the beam


def test_where_no_word_can_end_there_is_no_text() -> None:
    logits = np.full((1, 4), -40.0, np.float32)
    logits[0, 0] = 0.0
    assert Beam(1, Lexicon(["ab"], ALPHABET)).decode(logits) == Decoded((), 0.0)
