"""How characters follow one another."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from handfed.shared.alphabet import Alphabet
from handfed.shared.decoding import arpa
from handfed.shared.decoding.ngram import NGram, read_texts
from handfed.shared.errors import DatasetError

ALPHABET = Alphabet(("a", "b", "é", " "))
START = 5

texts = st.lists(st.text("abé z", max_size=8), max_size=6)
contexts = st.lists(st.integers(0, 3), max_size=5)


def walked(model: NGram, labels: list[int]) -> np.ndarray:
    """Probabilities of each class and of the end, after these classes."""
    state = model.start()
    for label in labels:
        state = model.after(state, label)
    return np.exp([*model.scores(state), model.end(state)])


@given(texts, st.integers(1, 4), contexts)
def test_after_any_context_probabilities_add_up_to_one(seen: list[str], order: int, context: list[int]) -> None:
    found = walked(NGram.estimate(seen, ALPHABET, order=order), context)
    assert found.sum() == pytest.approx(1)
    assert (found > 0).all()


@given(texts, st.integers(1, 4), contexts)
def test_what_is_remembered_is_all_that_counts(seen: list[str], order: int, context: list[int]) -> None:
    model = NGram.estimate(seen, ALPHABET, order=order)
    whole = (START, *context)[-(order - 1) :] if order > 1 else ()
    np.testing.assert_allclose(walked(model, context), np.exp(model.log_probabilities(whole)))


def test_smoothing_is_that_of_witten_and_bell() -> None:
    model = NGram.estimate(["ab", "aa"], ALPHABET, order=2)
    # Symbols a, a, a, b, end, end: 3 different ones of 6. After a: b, a, end.
    alone = [(count + 3 / 5) / (6 + 3) for count in (3, 1, 0, 0, 2)]
    np.testing.assert_allclose(np.exp(model.log_probabilities(())), alone)
    after_a = [(count + 3 * shorter) / (3 + 3) for count, shorter in zip((1, 1, 0, 0, 1), alone, strict=True)]
    np.testing.assert_allclose(walked(model, [0]), after_a)
    at_start = [(count + 1 * shorter) / (2 + 1) for count, shorter in zip((2, 0, 0, 0, 0), alone, strict=True)]
    np.testing.assert_allclose(walked(model, []), at_start)


def test_what_stands_on_both_sides_of_a_foreign_character_is_not_taken_together() -> None:
    model = NGram.estimate(["azb"], ALPHABET, order=3)
    assert (0,) not in model.followers
    assert model.followers.keys() == {(), (START,), (1,)}


def test_a_context_that_was_never_seen_is_forgotten() -> None:
    model = NGram.estimate(["ab"], ALPHABET)
    assert model.after((0, 1), 3) == ()
    assert model.after(model.start(), 0) == (START, 0)


def test_texts_are_lines_or_where_there_is_no_space_words(tmp_path: Path) -> None:
    file = tmp_path / "texts.txt"
    file.write_bytes("\ufeffa  b\r\n\n é\n".encode())
    assert read_texts(file, ALPHABET) == ["a b", "é"]
    assert read_texts(file, Alphabet(("a", "b", "é"))) == ["a", "b", "é"]


@pytest.mark.parametrize("content", [b"", b" \n\n", b"\xff"])
def test_a_file_without_text_is_refused(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "texts.txt"
    file.write_bytes(content)
    with pytest.raises(DatasetError, match=r"texts\.txt"):
        read_texts(file, ALPHABET)
    with pytest.raises(DatasetError, match="cannot be read"):
        read_texts(tmp_path / "none.txt", ALPHABET)


def as_arpa(model: NGram) -> str:
    names = [*(name.replace(" ", arpa.SPACE) for name in ALPHABET.names), arpa.END, arpa.START]
    grams: dict[tuple[int, ...], float] = {(START,): -99 * math.log(10)}
    grams |= {(*context, symbol): nats for context, seen in model.followers.items() for symbol, nats in seen.items()}
    orders = sorted({len(gram) for gram in grams})
    lines = ["\\data\\", *(f"ngram {order}={sum(len(gram) == order for gram in grams)}" for order in orders)]
    for order in orders:
        lines += ["", f"\\{order}-grams:"]
        for gram in sorted(gram for gram in grams if len(gram) == order):
            backoff = f"\t{model.backoffs[gram] / math.log(10):.9g}" if gram in model.backoffs else ""
            lines.append(f"{grams[gram] / math.log(10):.9g}\t{' '.join(names[symbol] for symbol in gram)}{backoff}")
    return "\n".join([*lines, "", "\\end\\", ""])


@settings(max_examples=30)  # each waits for the disk
@given(texts, st.integers(1, 4), contexts)
def test_an_arpa_file_gives_the_model_back(
    tmp_path_factory: pytest.TempPathFactory, seen: list[str], order: int, context: list[int]
) -> None:
    file = tmp_path_factory.getbasetemp() / "model.arpa"
    model = NGram.estimate(seen, ALPHABET, order=order)
    file.write_text(as_arpa(model), encoding="utf-8")
    np.testing.assert_allclose(walked(arpa.read(file, ALPHABET), context), walked(model, context), rtol=1e-6)


FOREIGN = r"""made elsewhere
\data\
ngram 1=6
ngram 2=2

\1-grams:
-1.0	<unk>
-99	<s>	-0.5
-0.5	</s>
-0.3010299957	a	-0.25
-0.6	<space>
-2	z
-2	_	-0.1

\2-grams:
-0.1 a <space>
-0.3 a _
-0.4 a <s>
-0.2 <s> a

\end\
""".replace("_", "\N{NO-BREAK SPACE}")


def test_a_file_of_another_tool_is_read_as_it_is_meant(tmp_path: Path) -> None:
    file = tmp_path / "model.arpa"
    file.write_text(FOREIGN, encoding="utf-8")
    model = arpa.read(file, ALPHABET)
    assert math.log10(walked(model, [])[0]) == pytest.approx(-0.2)
    assert math.log10(walked(model, [])[3]) == pytest.approx(-0.5 - 0.6)  # backs off
    assert math.log10(walked(model, [0])[3]) == pytest.approx(-0.1)
    assert walked(model, [3])[[1, 2]].tolist() == pytest.approx([0.05, 0.05])  # b and é share the unknown's tenth


@pytest.mark.parametrize(
    ("wrong", "right", "reason"),
    [
        ("\\end\\", "", "cut off"),
        ("-0.6\t<space>", "-0.6\t<space> b -1 3", "line 11: is no 1-gram"),
        ("-0.6\t<space>", "x\t<space>", "line 11"),
        ("-0.6\t<space>", "-0.6", "line 11"),
        ("-0.6\t<space>", "nan\t<space>", "line 11"),
        ("-0.6\t<space>", "0.6\t<space>", "line 11"),
        ("-0.6\t<space>", "-0.6\t<space>\t1e999", "line 11"),
        ("-1.0\t<unk>\n", "", "no probability of 'b' \\(2 of 5"),
    ],
)
def test_what_is_no_arpa_file_is_refused_with_its_line(tmp_path: Path, wrong: str, right: str, reason: str) -> None:
    assert wrong in FOREIGN
    file = tmp_path / "model.arpa"
    file.write_text(FOREIGN.replace(wrong, right), encoding="utf-8")
    with pytest.raises(DatasetError, match=reason):
        arpa.read(file, ALPHABET)
