"""Each family of recognisers goes the whole way: trained by a federation, aggregated, quantized, converted, read."""

from __future__ import annotations

import json
from collections.abc import Iterator

import numpy as np
import pytest

from handfed.clients.edge import Recogniser
from handfed.clients.edge.evaluation import evaluate
from handfed.server.database import open_database
from handfed.server.releases.service import ReleaseRecord
from handfed.server.runs.service import RunRecord
from handfed.shared import strips
from handfed.shared.datasets import Dataset
from handfed.shared.litert import Int8Model
from handfed.shared.recognisers import FAMILIES, family
from handfed.shared.run_settings import RunSettings
from handfed.shared.samples import Samples
from handfed.simulations.engines import Workers
from handfed.simulations.federation import Federation, Outcome, Place, simulate
from handfed.simulations.partition import split
from handfed.simulations.report.writing import report_of
from handfed.simulations.scenario import Scenario

HEIGHT = 32


@pytest.fixture(scope="module")
def numbers(digits: Dataset) -> Dataset:
    """Numbers of two to four real digits that stand close together, as words."""
    random = np.random.default_rng(0)
    images, labels = [], []
    for _ in range(48):
        rows = random.integers(0, len(digits), random.integers(2, 5))
        row = np.concatenate([digits.images[each][:, 4:24] for each in rows], axis=1)
        images.append(strips.normalise(np.pad(row, 2), HEIGHT))
        labels.append(digits.labels[rows].tolist())
    return Dataset("numbers", digits.alphabet, Samples.of_texts(images, labels), None, digits.source, digits.licence)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    directory = tmp_path_factory.mktemp("recognisers")
    with open_database(f"sqlite:///{directory}/handfed.db") as database:
        yield Place(RunRecord(database), ReleaseRecord(database), directory)


def trained(place: Place, dataset: Dataset, recogniser: str) -> tuple[Federation, Outcome]:
    run = RunSettings(
        recogniser=recogniser,
        rounds=2,
        qat_rounds=1,
        optimiser="adam",
        learning_rate=0.003,
        batch_size=16,
        batch_statistics="running",
        freeze_round=2,
        float_margin=1.0,
    )
    task = "words" if dataset.samples.are_texts else "characters"
    partition = split(dataset, scheme="iid", devices=2, held_out=0.25, seed=0)
    federation = Federation(dataset, partition, Scenario(task=task, partition="iid", devices=2, run=run))
    outcome = simulate(
        federation, place, engine="in-process", workers=Workers(count=1), listeners=[], progress=lambda *_: None
    )
    return federation, outcome


@pytest.mark.parametrize("recogniser", FAMILIES)
def test_a_family_is_trained_by_devices_published_in_integers_and_read_on_the_edge(
    recogniser: str, place: Place, digits: Dataset, numbers: Dataset
) -> None:
    of_texts = family(recogniser).columns > 0
    federation, outcome = trained(place, numbers if of_texts else digits.take(np.arange(80)), recogniser)
    release = Recogniser.open(outcome.publication.directory)
    release.self_test()
    assert Int8Model(outcome.publication.model).operators_with_floats() == []
    assert release.task.of_texts == of_texts
    held_out = federation.dataset.take(outcome.readings.rows)
    assert release.transcribe(held_out.samples) == outcome.readings.int8.read
    found = evaluate(release, held_out)
    assert found.accuracy == pytest.approx(max(1 - outcome.readings.int8.cer, 0))
    verdict = outcome.publication.verdict
    assert verdict.int8_edits == outcome.readings.int8.errors.sum()
    assert verdict.characters == outcome.readings.int8.characters.sum()
    summary = outcome.summary()
    assert ("wer_int8" in summary) == ("decoders" in summary) == (outcome.decoders is not None) == of_texts
    if outcome.decoders is not None:
        greedy = outcome.decoders.rows[0]
        assert (greedy.decoder, greedy.cer, greedy.wer) == ("greedy", summary["cer_int8"], summary["wer_int8"])
        assert greedy.expected_calibration_error == pytest.approx(summary["expected_calibration_error"])
        assert json.loads(json.dumps(summary))["decoders"][0]["cer"] == greedy.cer
        assert report_of(federation, outcome, "handfed simulate").decoders is outcome.decoders


def test_a_picture_gives_the_same_text_whatever_was_read_before(place: Place, numbers: Dataset) -> None:
    """Of recurrent models: nothing of one picture is left when the next is read."""
    _, outcome = trained(place, numbers, "crnn")
    model = Int8Model(outcome.publication.model)
    first, other = numbers.images[:1], np.full_like(numbers.images[:1], 255)
    alone = model.logits(first)
    model.logits(other)
    np.testing.assert_array_equal(model.logits(first), alone)
