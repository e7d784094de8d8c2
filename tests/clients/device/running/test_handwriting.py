"""A device that runs looks after its handwriting, and tells nothing of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np

from handfed.clients.device.folder import store_in
from handfed.clients.device.store.feedback import Feedback, give
from handfed.clients.device.store.retention import FeedbackSettings, Retention, write_settings
from handfed.clients.device.store.store import Store

if TYPE_CHECKING:
    from tests.clients.device.running.conftest import MakeDevice

LETTER = "\N{MATHEMATICAL FRAKTUR CAPITAL A}"  # of four bytes: two come about by chance, in keys and hashes


def test_feedback_that_was_kept_long_enough_goes_while_the_device_runs(make_device: MakeDevice) -> None:
    device = make_device()
    image = np.random.default_rng(0).integers(0, 256, (28, 28), np.uint8)
    with Store.open(store_in(device.folder)) as store:
        write_settings(store, FeedbackSettings(retention=Retention(3)))
        given = Feedback("characters", image, "Quetzal", LETTER, writer="Wilhelmina")
        give(store, given, by="me", now=datetime.now(UTC) - timedelta(days=4))
    device.begin(handwriting_s=1.0)
    device.until(lambda: "1 samples of feedback were kept long enough" in device.text())
    assert device.end() == 0
    with Store.open(store_in(device.folder)) as store:
        assert store.contents().kinds == ()
    left = b"".join(path.read_bytes() for path in device.folder.rglob("*") if path.is_file())
    said = device.text() + str(device.said())
    for word in ("Quetzal", LETTER, "Wilhelmina"):
        assert word.encode() not in left
        assert word not in said
