"""The trainer's view of a device's store."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from handfed.clients.device.store.feedback import Feedback, give
from handfed.clients.device.store.importing import Incoming
from handfed.clients.device.store.retention import FeedbackSettings, Retention, write_settings
from handfed.clients.device.store.store import Store
from handfed.clients.trainer.device_app import StoredHandwriting
from handfed.shared.alphabet import Alphabet
from handfed.shared.datasets import Dataset
from handfed.shared.samples import END, Samples
from handfed.shared.subject import Subject
from handfed.shared.tasks import TASKS

if TYPE_CHECKING:
    from flwr.app import Context

DIGITS = Alphabet(tuple("0123456789"))


def test_what_was_trained_with_is_gone_before_the_next_message_where_it_is_to_be_erased(tmp_path: Path) -> None:
    nobody: Context | Any = None
    images = np.random.default_rng(0).integers(0, 256, (3, 28, 28), np.uint8)
    with Store.open(tmp_path) as store, closing(StoredHandwriting(tmp_path)) as stored:
        for image in images[:2]:
            give(store, Feedback("characters", image, "4", "9"), by="me", now=datetime.now(UTC))
        subject = Subject(DIGITS)
        for keeps, left in (("always", 2), ("learn-and-erase", 0)):
            write_settings(store, FeedbackSettings(retention=Retention.parse(keeps)))
            mine = stored.of(nobody, subject)
            assert len(mine.training) == 2
            if keeps == "learn-and-erase":  # what comes while a round trains was not trained with
                give(store, Feedback("characters", images[2], "4", "8"), by="me", now=datetime.now(UTC))
            mine.trained(0)
            found = stored.of(nobody, subject).training.labels.tolist()
            assert found == left * [9] + (keeps != "always") * [8]


def test_handwriting_without_labels_comes_apart_from_what_has_them(tmp_path: Path) -> None:
    nobody: Context | Any = None
    corrected, *others = np.random.default_rng(1).integers(0, 256, (4, 28, 28), np.uint8)
    made = Dataset("made", Alphabet(()), Samples(np.stack(others), np.full(3, END, np.int32)), None, "made", "CC0")
    incoming = Incoming(made, TASKS["characters"], "characters", held_out=False, unlabelled=True)
    with Store.open(tmp_path) as store, closing(StoredHandwriting(tmp_path)) as stored:
        give(store, Feedback("characters", corrected, "4", "9"), by="me", now=datetime.now(UTC))
        assert stored.of(nobody, Subject(DIGITS)).unlabelled is None
        store.take_in(incoming, by="me", now=datetime.now(UTC))
        mine = stored.of(nobody, Subject(DIGITS))
        assert mine.unlabelled is not None
        assert (len(mine.unlabelled), len(mine.training), len(mine.held_out)) == (3, 1, 0)
        mine.trained(0)
        assert mine.seen is not None
        assert len(mine.seen.base) == 1  # of it, nothing is remembered
        seen_beside = stored.of(nobody, Subject(DIGITS, inputs=("topology",)))
        assert seen_beside.unlabelled is not None
        assert seen_beside.unlabelled.channels == seen_beside.training.channels == 3
