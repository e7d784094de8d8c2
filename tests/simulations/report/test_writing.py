"""From a simulation and its outcome to what its report tells."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from handfed.server.flower.queries import Verdict
from handfed.server.releases.publish import Publication
from handfed.shared import planes
from handfed.shared.disclosure import Detail
from handfed.shared.errors import StorageError
from handfed.shared.litert import Int8Model
from handfed.shared.manifest import read_release
from handfed.shared.reading import read
from handfed.shared.run_settings import RunSettings
from handfed.shared.transcripts import Transcripts
from handfed.simulations.datasets.mnist5k import MNIST5K
from handfed.simulations.faults import Faults, liars
from handfed.simulations.federation import Federation, Outcome, start_of
from handfed.simulations.partition import SCHEMES, split
from handfed.simulations.readings import Readings
from handfed.simulations.report import writing
from handfed.simulations.robustness import AS_WRITTEN, DEFORMATIONS, accuracies
from handfed.simulations.scenario import Scenario

MODEL = Path(__file__).resolve().parents[2] / "compat" / "manifest-1" / "model.tflite"


def federation(samples: int, scenario: Scenario) -> Federation:
    """So many real digits, written by nobody in particular: each writer has every seventh."""
    dataset = MNIST5K.load().take(np.arange(0, 5_000, 5_000 // samples)[:samples])
    dataset = replace(dataset, writers=(np.arange(samples) % 7).astype(np.int32))
    partition = split(
        dataset, scheme=scenario.partition, devices=scenario.devices, held_out=scenario.held_out, seed=scenario.run.seed
    )
    return Federation(dataset, partition, scenario)


def outcome(of: Federation) -> Outcome:
    """As if a run had published the model of an old release; its float model is the same."""
    rows, model = np.flatnonzero(of.partition.held_out), MODEL.read_bytes()
    samples = of.dataset.samples.take(rows)
    transcripts = Transcripts(samples.written(), read(Int8Model(model), samples))
    right, errors = int(transcripts.correct.sum()), int(transcripts.errors.sum())
    verdict = Verdict(len(rows), right, right, 0, 0, len(rows), errors, errors)
    return Outcome(
        run=1,
        publication=Publication(
            number=1,
            directory=MODEL.parent,
            model=model,
            verdict=verdict,
            trained=verdict,
            calibrated=verdict,
            weights_sha256="9f" * 32,
            detail=Detail(),
            floating={},
            temperature=1.0,
            self_test=read_release(MODEL.parent)[0].self_test,
        ),
        rounds=(),
        readings=Readings(
            rows,
            transcripts,
            transcripts,
            np.full(len(rows), 0.9),
            of.partition.device[rows],
            None if of.dataset.writers is None else of.dataset.writers[rows],
        ),
        latency_ms=1.0,
        wall_s=2.0,
        peak_memory_bytes=3,
        alphabet=of.dataset.alphabet,
        of_texts=False,
    )


SCENARIO = Scenario(partition="iid", devices=5, held_out=0.3, run=RunSettings(seed=3))
PLAIN = federation(200, SCENARIO)
FAULTY = replace(PLAIN, scenario=replace(SCENARIO, faults=Faults(nan=0.4, dropouts=0.1)))


def test_without_faults_there_is_no_misbehaviour() -> None:
    assert writing.report_of(PLAIN, outcome(PLAIN), "handfed simulate").misbehaviour is None


@pytest.mark.parametrize(("visibility", "inspected"), [("inspected", True), ("secure", False)])
def test_who_lies_is_who_lied(visibility: str, inspected: bool) -> None:
    run = replace(SCENARIO.run, visibility=visibility, clip_update=1.0)
    of = replace(FAULTY, scenario=replace(FAULTY.scenario, run=run))
    found = writing.report_of(of, outcome(of), "handfed simulate").misbehaviour
    assert found is not None
    assert found.liars == liars(FAULTY.scenario.faults, 5, 3)
    assert len(found.liars) == 2
    assert found.inspected is inspected


def test_what_is_deformed_is_held_out_and_read_by_the_published_file() -> None:
    found = writing.report_of(PLAIN, outcome(PLAIN), "handfed simulate").robustness
    held_out = PLAIN.dataset.take(np.flatnonzero(PLAIN.partition.held_out))
    assert found is not None
    assert found.images == len(held_out)
    assert found.accuracies == accuracies(Int8Model(MODEL), held_out.images, held_out.labels)
    assert tuple(found.accuracies) == (AS_WRITTEN, *DEFORMATIONS)
    assert [each.shape for each in found.examples] == [(28, 28)] * (1 + len(DEFORMATIONS))
    assert np.array_equal(found.examples[0], held_out.images[0])


def test_deformed_images_are_read_with_the_planes_that_the_run_sees(int8_of: Callable[..., bytes]) -> None:
    from handfed.shared.tf.runtime import tf

    weights = np.random.default_rng(0).normal(0, 0.1, (28 * 28 * 3, 10)).astype(np.float32)
    model = int8_of(lambda seen: tf.matmul(tf.reshape(seen, (-1, 28 * 28 * 3)), weights), (28, 28, 3))
    of = replace(PLAIN, scenario=replace(SCENARIO, run=replace(SCENARIO.run, inputs="topology")))
    ended = outcome(of)
    ended = replace(ended, publication=replace(ended.publication, model=model))
    found = writing.report_of(of, ended, "handfed simulate").robustness
    held_out = of.dataset.take(np.flatnonzero(of.partition.held_out))
    read = Int8Model(model).logits(planes.seen(held_out.images, ("topology",))).argmax(axis=1)
    assert found is not None
    assert found.accuracies[AS_WRITTEN] == pytest.approx((read == held_out.labels).mean(), abs=0.1)
    assert tuple(found.accuracies) == (AS_WRITTEN, *DEFORMATIONS)


def test_of_many_images_an_even_pick_is_deformed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writing, "MOST_DEFORMED", 20)
    found = writing.report_of(PLAIN, outcome(PLAIN), "handfed simulate").robustness
    held_out = np.flatnonzero(PLAIN.partition.held_out)
    picked = PLAIN.dataset.take(held_out[np.linspace(0, len(held_out) - 1, 20).round().astype(int)])
    assert found is not None
    assert found.images == 20
    assert found.accuracies == accuracies(Int8Model(MODEL), picked.images, picked.labels)


def test_settings_are_all_of_the_scenario_but_where_the_data_are() -> None:
    of = replace(FAULTY, scenario=replace(FAULTY.scenario, data="/somewhere/pupils.npz"))
    settings = writing.report_of(of, outcome(of), "handfed simulate").settings
    assert settings["data"] == PLAIN.dataset.name
    assert {name: settings[name] for name in ("nan", "dropouts", "devices", "seed")} == {
        "nan": 0.4,
        "dropouts": 0.1,
        "devices": 5,
        "seed": 3,
    }


def test_each_image_is_of_the_writer_who_wrote_it() -> None:
    found = writing.report_of(PLAIN, outcome(PLAIN), "").readings
    assert found.writer is not None
    assert PLAIN.dataset.writers is not None
    assert np.array_equal(found.writer, PLAIN.dataset.writers[PLAIN.partition.held_out])
    unknown = replace(PLAIN, dataset=replace(PLAIN.dataset, writers=None))
    assert writing.report_of(unknown, outcome(unknown), "").readings.writer is None


@pytest.mark.parametrize("scheme", SCHEMES)
def test_every_scheme_has_words(scheme: str) -> None:
    told = writing.in_words(scheme)
    assert told.endswith(f" ({scheme})")
    assert (scheme.partition(":")[2] in told.rpartition(" (")[0]) or ":" not in scheme


def test_the_page_is_written_where_it_is_to_be(tmp_path: Path) -> None:
    path = tmp_path / "new" / "report.html"
    writing.write_report(path, FAULTY, outcome(FAULTY), "handfed simulate --nan 0.4")
    page = path.read_text("utf-8")
    assert "2 of 5 devices lie in every round" in page
    assert "the same share of everything to each, at random (iid)" in page
    assert "One image under each deformation" in page


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StorageError, match="cannot make the folder"):
        writing.write_report(tmp_path / "file" / "report.html", PLAIN, outcome(PLAIN), "handfed simulate")


def test_neither_record_nor_report_says_where_a_task_s_file_is(tmp_path: Path) -> None:
    task = tmp_path / "numerals.toml"
    task.write_text('summary = "Numerals"\nalphabet = "digits"\n')
    of = replace(PLAIN, scenario=replace(PLAIN.scenario, task=str(task)))
    start = start_of(of, "in-process")
    assert (start.task, start.settings["task"]) == ("numerals", "numerals")
    assert writing.report_of(of, outcome(of), "").settings["task"] == "numerals"
    assert str(tmp_path) not in str(start)
