"""The process that looks after a device's handwriting."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from handfed.clients.device.folder import store_in
from handfed.clients.device.store.feedback import Feedback, give
from handfed.clients.device.store.importing import Incoming
from handfed.clients.device.store.retention import FeedbackSettings, Retention, write_settings
from handfed.clients.device.store.store import Store
from handfed.shared.parent import child

Make = Callable[..., Incoming]


def looked(folder: Path) -> subprocess.CompletedProcess[str]:
    command = child("handfed.clients.device.handwriting_upkeep", folder)
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_it_erases_what_was_kept_long_enough_and_tells_counts_alone(tmp_path: Path, characters: Make) -> None:
    image = characters(["Q"]).dataset.images[0]
    with Store.open(store_in(tmp_path)) as store:
        write_settings(store, FeedbackSettings(retention=Retention(3)))
        given = Feedback("characters", image, "4", "Q", writer="Wilhelmina")
        give(store, given, by="me", now=datetime.now(UTC) - timedelta(days=4))
    done = looked(tmp_path)
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr == "1 samples of feedback were kept long enough, and are erased\n"
    assert image.tobytes()[:24] not in b"".join(path.read_bytes() for path in store_in(tmp_path).iterdir())
    assert looked(tmp_path).stderr == ""


def test_a_device_without_handwriting_is_left_alone_and_a_damaged_store_is_told(tmp_path: Path) -> None:
    assert (looked(tmp_path).returncode, looked(tmp_path).stderr) == (0, "")
    assert list(tmp_path.iterdir()) == []
    store_in(tmp_path).mkdir()
    (store_in(tmp_path) / "samples.db").write_bytes(b"no database" * 100)
    assert (looked(tmp_path).returncode, "damaged" in looked(tmp_path).stderr) == (1, True)
