"""Each step finds its own handwriting on the devices, with as much of what came before as its method takes."""

from __future__ import annotations

import numpy as np
import pytest

from handfed.shared.continual.memory import NEVER, rehearsed
from handfed.shared.datasets import Dataset
from handfed.shared.errors import SettingError
from handfed.simulations.continual.handwriting import Handwriting
from handfed.simulations.continual.methods import METHODS, methods_of, published
from handfed.simulations.partition import split


@pytest.fixture(scope="module")
def dealt(digits: Dataset) -> Handwriting:
    part = digits.take(np.arange(1000))
    return Handwriting.of(part, split(part, scheme="iid", devices=4, held_out=0.2, seed=0), "classes:4", seed=0)


@pytest.mark.parametrize(
    ("name", "steps"), [("naive", {1}), ("distillation", {1}), ("replay", {0, 1}), ("joint", {0, 1})]
)
def test_a_method_trains_on_what_it_may(dealt: Handwriting, name: str, steps: set[int]) -> None:
    dataset, partition, seen = dealt.of_step(1, METHODS[name], [7])
    assert dataset.alphabet.names == tuple("01234567")
    trained = dataset.labels[~partition.held_out]
    assert set((trained // 4).tolist()) == steps
    assert set((dataset.labels[partition.held_out] // 4).tolist()) == {0, 1}  # what came before is judged in any case
    assert set(seen.base[~partition.held_out].tolist()) == {NEVER if step else 0 for step in steps}


def test_a_memory_has_its_places_on_each_device_and_all_that_is_new_stays(dealt: Handwriting) -> None:
    dataset, partition, seen = dealt.of_step(2, METHODS["both"], [7, 9])
    for device in range(4):
        rows = partition.training_rows(device)
        mine = dataset.samples.take(rows)
        kept = rehearsed(mine, seen.take(rows), start_from=9, places=3, classes=10)
        counts, there = np.bincount(mine.labels[kept], minlength=10), np.bincount(mine.labels, minlength=10)
        np.testing.assert_array_equal(counts, [*np.minimum(there[:8], 3), *there[8:]])


def test_what_a_memory_keeps_it_also_kept_a_step_earlier(dealt: Handwriting) -> None:
    """A device may erase what is not in its memory: no later step wants it back."""

    def kept(step: int, runs: list[int]) -> set[bytes]:
        dataset, partition, seen = dealt.of_step(step, METHODS["replay"], runs)
        rows = partition.training_rows(0)
        mine = dataset.samples.take(rows)
        chosen = rehearsed(mine, seen.take(rows), start_from=runs[-1], places=3, classes=10)
        return {image.tobytes() for image in mine.images[chosen[mine.labels[chosen] < 4]]}

    assert kept(1, [7]) == kept(2, [7, 9])


def test_labels_count_in_the_alphabet_of_their_step(digits: Dataset) -> None:
    """Groups may bring classes in another order than the data set has them."""
    part = digits.take(np.arange(400))
    groups = np.where(part.labels >= 6, "first", "second")
    part = Dataset("digits", part.alphabet, part.samples, None, "", "", groups=groups)
    dealt = Handwriting.of(
        part, split(part, scheme="iid", devices=2, held_out=0.2, seed=0), "groups:first,second", seed=0
    )
    assert dealt.alphabet(0).names == tuple("6789")
    assert dealt.alphabet(1).names == tuple("6789012345")
    dataset, _, _ = dealt.of_step(1, METHODS["joint"], [1])
    names = np.array(dataset.alphabet.names)[dataset.labels]
    np.testing.assert_array_equal(names, np.array(part.alphabet.names)[part.labels])
    assert set(dealt.labels(0)[part.labels < 6].tolist()) == {-1}


def test_styles_change_what_later_steps_look_like_and_nothing_else(digits: Dataset) -> None:
    part = digits.take(np.arange(300))
    partition = split(part, scheme="iid", devices=2, held_out=0.2, seed=0)
    dealt = Handwriting.of(part, partition, "styles:pen,scanner,paper", seed=0)
    first = dealt.steps.step == 0
    np.testing.assert_array_equal(dealt.dataset.images[first], part.images[first])
    assert (dealt.dataset.images[~first] != part.images[~first]).any(axis=(1, 2)).all()
    np.testing.assert_array_equal(dealt.dataset.labels, part.labels)


def test_a_step_of_which_nothing_is_held_out_is_refused(digits: Dataset) -> None:
    part = digits.take(np.arange(200))
    groups = np.array(["rare"] + ["common"] * 199)
    part = Dataset("digits", part.alphabet, part.samples, None, "", "", groups=groups)
    partition = split(part, scheme="iid", devices=2, held_out=0.2, seed=0)
    with pytest.raises(SettingError, match=r"of step 'rare' (every|no)thing is held out"):
        Handwriting.of(part, partition, "groups:common,rare", seed=0)


def test_methods_are_named_and_the_best_that_a_federation_can_have_is_published() -> None:
    assert [method.name for method in methods_of("joint, naive,joint")] == ["joint", "naive"]
    assert published(methods_of("naive,joint,replay")).name == "replay"
    for wrong in ("", "naive,rehearsal"):
        with pytest.raises(SettingError, match="choose of naive, replay"):
            methods_of(wrong)
