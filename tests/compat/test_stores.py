"""A store of every version that was ever written is kept here, and must open for ever."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest

from handfed.clients.device.store.schema import MIGRATIONS
from handfed.clients.device.store.store import Store
from handfed.shared.alphabet import Alphabet
from handfed.shared.tasks import TASKS

HERE = Path(__file__).parent
VERSIONS = range(1, len(MIGRATIONS) + 1)
NOW = datetime(2027, 3, 2, tzinfo=UTC)


def test_every_version_so_far_is_kept() -> None:
    assert sorted(path.name for path in HERE.glob("store-*")) == [f"store-{version}" for version in VERSIONS]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("form", ["plain", "encrypted"])
def test_a_store_of_each_version_opens_with_all_that_is_in_it(version: int, form: str, tmp_path: Path) -> None:
    shutil.copy(HERE / f"store-{version}" / form / "samples.db", tmp_path)
    with Store.open(tmp_path, ask=lambda: f"the files of version {version}") as store:
        assert store.lock_kind() == (None if form == "plain" else "passphrase")
        assert {writer.name: (writer.consent, writer.noted_by, writer.samples) for writer in store.writers()} == {
            "Ada": ("given", "Head", 5),
            "Bob": ("withdrawn", "Head", 2),
        }
        held = store.contents()
        unlabelled = 3 if version >= 3 else 0
        assert [(each.source, each.task, each.count, each.left) for each in held.imports] == [
            ("Year 3", "digits", 6, 5),
            (None, "words", 2, 2),
            *([("A box of forms", "digits", 3, 3)] if unlabelled else []),
        ]
        assert (held.forgotten, held.require_consent, store.is_erased()) == (1, False, True)
        digits = store.handwriting(TASKS["digits"], Alphabet(tuple("0123456789")))
        assert sorted(digits.training.labels.tolist() + digits.held_out.labels.tolist()) == [0, 1, 2]
        assert digits.without_consent == 2
        assert (0 if digits.unlabelled is None else len(digits.unlabelled)) == held.unlabelled == unlabelled
        words = store.handwriting(TASKS["words"], Alphabet(("a", "b")))
        assert words.training.written() + words.held_out.written() == [[0, 1], [1, 0, 1]]
        assert store.forget("Ada", now=NOW)[0].samples == 5 + unlabelled


def test_what_is_kept_stays_small() -> None:
    assert max(path.stat().st_size for path in HERE.glob("store-*/*/*")) < 150_000
