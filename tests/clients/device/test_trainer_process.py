"""The trainer's process, without a server."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from flwr.app import Array, ArrayRecord, ConfigRecord, Message, RecordDict
from flwr.app.message import make_message
from flwr.app.metadata import Metadata
from flwr.common.serde import message_from_proto, message_to_proto
from flwr.proto.message_pb2 import Message as ProtoMessage

from handfed.clients.device.trainer_process import Limits, TrainerError, TrainerProcess, resident_bytes

APPS = Path(__file__).parent / "running"


def message(do: str) -> bytes:
    metadata = Metadata(1, "m", 1, 7, "", "", time.time(), 600.0, "train")
    content = RecordDict(
        {"arrays": ArrayRecord({"weights": Array(np.zeros(3, np.float32))}), "config": ConfigRecord({"do": do})}
    )
    encoded: bytes = message_to_proto(make_message(metadata, content)).SerializeToString()
    return encoded


def answered(trainer: TrainerProcess, do: str = "add") -> Message:
    return message_from_proto(ProtoMessage.FromString(trainer.answer(message(do), time_s=300, cancelled=lambda: None)))


@pytest.fixture
def trainer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[TrainerProcess]:
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(APPS), os.environ.get("PYTHONPATH", "")]))
    process = TrainerProcess(tmp_path, Limits(niceness=0, idle_s=0.0), "numpy_app:create")
    yield process
    process.stop()


def test_no_process_is_there_before_it_is_needed_nor_after(trainer: TrainerProcess) -> None:
    assert not answered(trainer).has_error()
    assert resident_bytes(trainer.pid or 0) > 10_000_000
    assert trainer.let_go_if_idle()
    assert not trainer.let_go_if_idle()


def test_one_that_was_killed_while_it_waited_is_not_missed(trainer: TrainerProcess) -> None:
    answered(trainer)
    pid = trainer.pid  # once: to ask is to find out that it is dead
    assert pid is not None
    os.kill(pid, 9)
    while Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z" or len(list(Path(f"/proc/{pid}/task").iterdir())) > 1:
        time.sleep(0.01)  # it is dead when its last thread is
    assert not answered(trainer).has_error()


def test_what_is_cancelled_is_killed_with_the_reason(trainer: TrainerProcess) -> None:
    answered(trainer)
    before = trainer.pid
    with pytest.raises(TrainerError, match="not wanted"):
        trainer.answer(message("hang"), time_s=30, cancelled=lambda: "not wanted")
    assert trainer.pid is None
    assert not Path(f"/proc/{before}").exists()


def test_an_app_that_cannot_be_made_is_an_answer(tmp_path: Path) -> None:
    broken = TrainerProcess(tmp_path, Limits(niceness=0), "nowhere:create")
    reason = str(answered(broken).error.reason)
    broken.stop()
    assert "ModuleNotFoundError" in reason
    assert "nowhere" not in reason


def test_a_waiting_device_has_neither_tensorflow_nor_sqlalchemy_in_memory() -> None:
    words = (
        "import sys, handfed.clients.device.run;"
        "print([name for name in ('tensorflow', 'tf_keras', 'sqlalchemy', 'ray') if name in sys.modules])"
    )
    printed = subprocess.run([sys.executable, "-c", words], check=True, capture_output=True, text=True)
    assert printed.stdout.strip() == "[]"
