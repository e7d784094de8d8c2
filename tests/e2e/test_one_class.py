"""Devices of one class each: what none can learn alone, they learn together."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np

from handfed.server.database import open_database
from handfed.server.releases.service import ReleaseRecord
from handfed.server.runs.service import RunRecord
from handfed.shared.datasets import Dataset
from handfed.simulations import scenarios
from handfed.simulations.engines import Workers
from handfed.simulations.federation import Federation, Place, simulate
from handfed.simulations.partition import split
from handfed.simulations.scenario import Scenario


def test_they_learn_to_tell_classes_apart_that_none_has_seen_beside_its_own(digits: Dataset, tmp_path: Path) -> None:
    """The scenario of that name, on a thousand digits and with fewer rounds."""
    found = Scenario.from_mapping(scenarios.find("one-class").values, "one-class")
    short = dataclasses.replace(found.run, rounds=16, evaluate_every=16, float_margin=1.0)
    part = digits.take(np.arange(1000))
    partition = split(part, scheme=found.partition, devices=found.devices, held_out=found.held_out, seed=0)
    assert all(len(set(part.labels[partition.training_rows(device)])) == 1 for device in range(found.devices))
    with open_database(f"sqlite:///{tmp_path}/handfed.db") as database:
        outcome = simulate(
            Federation(part, partition, dataclasses.replace(found, run=short)),
            Place(RunRecord(database), ReleaseRecord(database), tmp_path),
            engine="in-process",
            workers=Workers(),
            listeners=[],
            progress=lambda *_: None,
        )
    verdict = outcome.publication.verdict
    assert verdict.accuracy_int8 > 0.6
