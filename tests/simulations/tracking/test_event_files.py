"""Event files, read as their format says, and what TensorBoard finds in them."""

from __future__ import annotations

import json
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tensorboard.compat.proto.event_pb2 import Event  # type: ignore[import-untyped]
from tensorboard.compat.tensorflow_stub.pywrap_tensorflow import masked_crc32c  # type: ignore[import-untyped]

from handfed.server.flower.state import Arrays
from handfed.server.runs.schemas import RecordedRun, RoundResult
from handfed.simulations.tracking import TrackingError
from handfed.simulations.tracking.event_files import EventFiles

READ_BY_TENSORBOARD = """
import json, sys
sys.modules["tensorflow"] = None
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
found = EventAccumulator(sys.argv[1], size_guidance={"tensors": 0})
found.Reload()
print(json.dumps({tag: [event.step for event in found.Tensors(tag)] for tag in found.Tags()["tensors"]}))
"""


def events(file: Path) -> list[Any]:
    """The events of a file of TFRecords, whose checksums must be right."""
    content, found = file.read_bytes(), []
    while content:
        (length,) = struct.unpack("<Q", content[:8])
        data = content[12 : 12 + length]
        assert struct.unpack("<I", content[8:12]) == (masked_crc32c(content[:8]),)
        assert struct.unpack("<I", content[12 + length : 16 + length]) == (masked_crc32c(data),)
        found.append(Event.FromString(data))
        content = content[16 + length :]
    return found


def write(directory: Path, run: RecordedRun, rounds: list[RoundResult], arrays: list[Arrays]) -> None:
    tracker = EventFiles(directory)
    tracker.begin(run, {"rounds": "2"}, resumed=False)
    for result, model in zip(rounds, arrays, strict=True):
        tracker.round(result, model)
    tracker.end("done", {"accuracy_int8": 0.5}, {"release": "3"})


def tags(directory: Path) -> dict[tuple[str, int], Any]:
    """Every value by tag and step."""
    return {
        (value.tag, event.step): value.tensor
        for file in sorted(directory.glob("*/events.out.tfevents.*"))
        for event in events(file)
        for value in event.summary.value
    }


def test_a_run_leaves_scalars_and_histograms_by_round(
    run: RecordedRun, rounds: list[RoundResult], arrays: list[Arrays], tmp_path: Path
) -> None:
    write(tmp_path, run, rounds, arrays)
    found = tags(tmp_path)
    assert found["loss", 1].float_val[0] == 1.5
    assert ("accuracy", 1) not in found
    assert found["accuracy", 2].float_val[0] == 0.875
    assert found["updates/rejected", 2].float_val[0] == 1
    assert found["closing/accuracy_int8", 2].float_val[0] == 0.5
    assert {tag for tag, step in found if step == 1 and "/conv" in tag} == {
        "weights/conv/kernel",
        "weights/conv/bias",
    }


def test_an_update_is_what_a_round_changed(
    run: RecordedRun, rounds: list[RoundResult], arrays: list[Arrays], tmp_path: Path
) -> None:
    write(tmp_path, run, rounds, arrays)
    tensor = tags(tmp_path)["update/conv/kernel", 2]
    buckets = np.frombuffer(tensor.tensor_content).reshape(-1, 3)  # left, right, count
    filled = buckets[buckets[:, 2] > 0]
    assert filled[:, 2].sum() == 72
    assert ((filled[:, 0] <= 0.5001) & (filled[:, 1] >= 0.4999)).all()


def test_a_round_with_other_arrays_has_no_update(
    run: RecordedRun, rounds: list[RoundResult], arrays: list[Arrays], tmp_path: Path
) -> None:
    write(
        tmp_path, run, rounds, [arrays[0], {"conv/kernel": np.zeros((2, 2), np.float32), "new": np.ones(3, np.float32)}]
    )
    assert not [tag for tag, _ in tags(tmp_path) if tag.startswith("update/")]


def test_what_is_not_finite_is_left_out_of_a_histogram(
    run: RecordedRun, rounds: list[RoundResult], tmp_path: Path
) -> None:
    write(tmp_path, run, rounds[:1], [{"bias": np.array([np.nan, np.inf, 1.0], np.float32)}])
    buckets = np.frombuffer(tags(tmp_path)["weights/bias", 1].tensor_content).reshape(-1, 3)
    assert buckets[:, 2].sum() == 1


def test_a_resumed_run_goes_on_in_its_folder(
    run: RecordedRun, rounds: list[RoundResult], arrays: list[Arrays], tmp_path: Path
) -> None:
    for resumed, result, model in zip((False, True), rounds, arrays, strict=True):
        tracker = EventFiles(tmp_path)
        tracker.begin(run, {}, resumed=resumed)
        tracker.round(result, model)
        tracker.end("stopped", {}, {})
    (folder,) = tmp_path.iterdir()
    assert folder.name == "20260506-120000-run-0012"
    assert len(list(folder.iterdir())) == 2
    assert {step for tag, step in tags(tmp_path) if tag == "loss"} == {1, 2}


def test_a_round_that_cannot_be_written_is_a_tracking_error(
    run: RecordedRun, rounds: list[RoundResult], arrays: list[Arrays], tmp_path: Path
) -> None:
    tracker = EventFiles(tmp_path)
    tracker.begin(run, {}, resumed=False)
    tracker.end("done", {}, {})
    with pytest.raises(TrackingError, match="cannot be written"):
        tracker.round(rounds[0], arrays[0])


def test_tensorboard_reads_it_without_tensorflow(
    run: RecordedRun, rounds: list[RoundResult], arrays: list[Arrays], tmp_path: Path
) -> None:
    write(tmp_path, run, rounds, arrays)
    (folder,) = tmp_path.iterdir()
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", READ_BY_TENSORBOARD, str(folder)],
        capture_output=True,
        text=True,
        check=True,
    )
    found = json.loads(done.stdout)
    assert found["loss"] == [1, 2]
    assert found["weights/conv/kernel"] == [1, 2]
    assert found["update/conv/kernel"] == [2]


def test_tracking_imports_no_tensorflow() -> None:
    code = (
        "import sys, handfed.simulations.tracking.event_files, handfed.simulations.tracking.mlflow_store;"
        " print('tensorflow' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
