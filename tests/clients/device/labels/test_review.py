"""Doubtful labels are set aside, looked at once more, and settled; a device's other handwriting is not touched."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
import typer
from click.testing import Result
from PIL import Image
from typer.testing import CliRunner

from handfed.clients.device.folder import store_in
from handfed.clients.device.handwriting_upkeep import look
from handfed.clients.device.labels.assessment import assess, is_due
from handfed.clients.device.labels.cli import review
from handfed.clients.device.labels.review import Settled, settle, waiting
from handfed.clients.device.store.feedback import Feedback, give
from handfed.clients.device.store.importing import Incoming
from handfed.clients.device.store.locks import Cost, PassphraseLock
from handfed.clients.device.store.store import Store
from handfed.shared.alphabet import Alphabet
from handfed.shared.datasets import Dataset
from handfed.shared.errors import LockedStoreError, NotFoundError, SettingError
from handfed.shared.samples import Samples
from handfed.shared.tasks import TASKS
from handfed.simulations.datasets.mnist5k import MNIST5K

DIGITS = Alphabet(tuple("0123456789"))
NOW = datetime(2027, 3, 1, 12, 0, tzinfo=UTC)
IMPORTED, GIVEN, WRONG = 500, 30, 6


@dataclass(frozen=True)
class Made:
    """A device whose store has imports, and feedback of which every fifth piece is wrong."""

    folder: Path
    wrong: frozenset[int]
    true: dict[int, str]


def fill(folder: Path) -> Made:
    data = MNIST5K.load()
    rows = np.random.default_rng(5).choice(len(data.labels), IMPORTED + GIVEN, replace=False)
    names = tuple(f"pupil {number}" for number in range(20))
    writers = np.arange(IMPORTED, dtype=np.int32) % 20
    samples = Samples(data.images[rows[:IMPORTED]], data.labels[rows[:IMPORTED]].astype(np.int32))
    dataset = Dataset("made", DIGITS, samples, writers, "made", "CC0", names)
    wrong, true = set(), {}
    with Store.open(store_in(folder)) as store:
        store.take_in(Incoming(dataset, TASKS["digits"], "digits", held_out=False), by="me", now=NOW)
        for index, row in enumerate(rows[IMPORTED:]):
            label = int(data.labels[row])
            said = (label + 3) % 10 if index % 5 == 0 else label
            give(store, Feedback("characters", data.images[row], str((label + 5) % 10), str(said)), by="me", now=NOW)
            newest = store.newest_sample()
            true[newest] = str(label)
            if said != label:
                wrong.add(newest)
    return Made(folder, frozenset(wrong), true)


@pytest.fixture
def made(tmp_path: Path) -> Made:
    return fill(tmp_path)


@pytest.fixture
def store(made: Made) -> Iterator[Store]:
    with Store.open(store_in(made.folder)) as opened:
        yield opened


def trained_with(store: Store) -> Samples:
    return store.handwriting(TASKS["characters"], DIGITS).training


def test_doubtful_labels_are_not_trained_on_and_the_rest_is_weighed(made: Made, store: Store) -> None:
    before = len(trained_with(store))
    assert is_due(store)
    found = assess(store)
    assert not is_due(store)
    doubted = {each.number for each in waiting(store)}
    assert (found.samples, found.doubted) == (before, len(doubted))
    assert len(doubted & made.wrong) >= 0.8 * len(made.wrong)
    training = trained_with(store)
    assert len(training) == before - len(doubted)
    weights = training.weights
    assert weights is not None
    assert 0.6 <= weights.min() <= weights.max() == 1
    assert store.contents().kinds[0].doubted == len(doubted)
    assert assess(store).changed == 0  # the same again changes nothing


def test_nothing_that_releases_are_judged_with_is_assessed(made: Made, store: Store) -> None:
    with store.plain(writes=True) as connection:
        connection.execute("UPDATE samples SET held_out = 1, source = 'pick' WHERE import = 0")
    judged_with = len(store.handwriting(TASKS["characters"], DIGITS).held_out)
    assess(store)
    assert len(store.handwriting(TASKS["characters"], DIGITS).held_out) == judged_with == len(made.true)


def test_a_second_look_settles_it_for_good(made: Made, store: Store, tmp_path: Path) -> None:
    assess(store)
    first, second, third, *_ = [each for each in waiting(store) if each.number in made.wrong]
    settled = settle(
        store,
        accepted=[first.number],
        relabelled={second.number: made.true[second.number]},
        dropped=[third.number],
    )
    assert settled == Settled(1, 1, 1)
    assert store.is_erased()
    assess(store)
    assert {first.number, second.number, third.number} & {each.number for each in waiting(store)} == set()
    with store.plain() as connection:
        query = "SELECT label, weight, doubt, reviewed FROM samples WHERE id = ?"
        assert connection.execute(query, (first.number,)).fetchone() == (first.label.encode(), 1, None, 1)
        expected = (made.true[second.number].encode(), 1, None, 1)
        assert connection.execute(query, (second.number,)).fetchone() == expected
        assert connection.execute(query, (third.number,)).fetchone() is None
    content = b"".join(path.read_bytes() for path in (tmp_path / "store").iterdir())
    assert third.image.tobytes()[200:232] not in content


def test_what_waits_for_no_second_look_is_not_settled_and_nothing_beside_it(store: Store) -> None:
    assess(store)
    first, second, *_ = doubted = [each.number for each in waiting(store)]
    with store.plain() as connection:
        (other,) = connection.execute("SELECT id FROM samples WHERE doubt IS NULL").fetchone()
        before = connection.execute("SELECT * FROM samples").fetchall()
    for number in (other, 10**6, 10**30):
        for wrong in ({"accepted": [first, number]}, {"relabelled": {first: "1", number: "1"}}, {"dropped": [number]}):
            with pytest.raises(NotFoundError, match="`handfed device review` lists what waits"):
                settle(store, **({"accepted": [second]} | wrong))
    for refused in ({"relabelled": {second: "12"}}, {"accepted": [second]}):
        with pytest.raises(SettingError):
            settle(store, **({"dropped": [first, second]} | refused))
    with pytest.raises(SettingError):
        settle(store, accepted=[first], relabelled={second: "12"})
    assert [each.number for each in waiting(store)] == doubted
    with store.plain() as connection:
        assert connection.execute("SELECT * FROM samples").fetchall() == before


def test_a_label_put_right_to_what_is_there_already_is_that_one(store: Store) -> None:
    data = MNIST5K.load()
    for label in ("1", "2"):
        give(store, Feedback("characters", 255 - data.images[0], "3", label), by="me", now=NOW)
    newest = store.newest_sample()
    assess(store)
    assert {each.number: each.doubt for each in waiting(store)}[newest] == "contradicted"
    count = len(trained_with(store))
    settle(store, relabelled={newest: "1"})
    assert newest not in {each.number for each in waiting(store)}
    assert newest - 1 not in {each.number for each in waiting(store)}
    assert len(trained_with(store)) == count + 1


def imports(count: int, writer: str | None, *, shift: int = 0, again: bool = False) -> Incoming:
    """Pictures labelled in turn, by one writer; `shift` labels them otherwise."""
    pictures = MNIST5K.load().images[-count:]
    labels = ((np.arange(count) + shift) % 10).astype(np.int32)
    dataset = Dataset("made", DIGITS, Samples(pictures, labels), None, "made", "CC0")
    return Incoming(dataset, TASKS["digits"], "digits", writer=writer, again=again)


def doubt_all(store: Store) -> None:
    with store.plain(writes=True) as connection:
        connection.execute("UPDATE samples SET doubt = 'unlikely'")


@pytest.mark.parametrize("writer", ["Ada", None])
def test_the_next_import_of_the_same_files_undoes_nothing(writer: str | None, tmp_path: Path) -> None:
    with Store.open(tmp_path / "another") as store:
        store.take_in(imports(4, writer), by="me", now=NOW)
        first = store.newest_sample() - 3
        doubt_all(store)
        settle(store, relabelled={first: "1"}, dropped=range(first + 1, first + 4))
        before = store.contents()
        again = store.take_in(imports(4, writer), by="me", now=NOW)
        assert (again.number, again.samples, again.duplicates) == (None, 0, 4)
        assert store.contents() == before
        assert [kind.classes for kind in before.kinds] == [{"1": 1}]
        right = store.take_in(imports(4, writer, shift=1), by="me", now=NOW)  # the first is there as that
        assert (right.samples, right.duplicates) == (3, 1)


def test_what_was_dropped_may_come_back_with_a_writer_who_was_forgotten(tmp_path: Path) -> None:
    with Store.open(tmp_path / "another") as store:
        store.take_in(imports(4, "Ada"), by="me", now=NOW)
        doubt_all(store)
        settle(store, dropped=range(store.newest_sample() - 3, store.newest_sample() + 1))
        assert store.take_in(imports(4, "Ada"), by="me", now=NOW).samples == 0
        store.forget("Ada", now=NOW)
        with store.plain() as connection:
            assert connection.execute("SELECT count(*) FROM dropped").fetchone() == (0,)
        assert store.take_in(imports(4, "Ada", again=True), by="me", now=NOW).samples == 4


def test_what_was_settled_without_a_name_goes_to_who_is_named_later(tmp_path: Path) -> None:
    with Store.open(tmp_path / "another") as store:
        store.take_in(imports(4, None), by="me", now=NOW)
        first = store.newest_sample() - 3
        doubt_all(store)
        settle(store, relabelled={first: "1"}, dropped=[first + 1], everything=True)
        named = store.take_in(imports(4, "Ada"), by="me", now=NOW)
        assert (named.number, named.duplicates, named.attributed) == (None, 4, 3)
        assert [(writer.name, writer.samples) for writer in store.writers()] == [("Ada", 3)]
        assert store.forget("Ada", now=NOW)[0].samples == 3
        with store.plain() as connection:
            assert connection.execute("SELECT count(*) FROM dropped").fetchone() == (0,)


def test_the_process_assesses_and_tells_counts_alone(made: Made, capsys: pytest.CaptureFixture[str]) -> None:
    said = look(made.folder, NOW)
    assert said.endswith("labels wait for a second look: handfed device review")
    assert "pupil" not in said
    assert look(made.folder, NOW) == ""  # nothing is new
    assert capsys.readouterr() == ("", "")


def test_of_an_encrypted_store_nothing_is_assessed_without_its_passphrase(made: Made) -> None:
    with Store.open(store_in(made.folder)) as store:
        store.encrypt(PassphraseLock("three small rivers", Cost(n=2**4)))
    with pytest.raises(LockedStoreError):
        look(made.folder, NOW)
    with Store.open(store_in(made.folder), ask=lambda: "three small rivers") as store:
        assert assess(store).doubted >= WRONG / 2
        assert {each.number for each in waiting(store)} & made.wrong


@pytest.fixture
def run(made: Made) -> Callable[..., Result]:
    def invoke(*arguments: object) -> Result:
        app = typer.Typer()
        app.command()(review)
        return CliRunner().invoke(app, [*map(str, arguments), "--data", str(made.folder)], env={"COLUMNS": "200"})

    return invoke


def test_the_command_lists_draws_and_settles(made: Made, run: Callable[..., Result], tmp_path: Path) -> None:
    sheet = tmp_path / "sheet.png"
    assert run().stdout == "Nothing waits for a second look.\n"
    document = json.loads(run("--judge", "--sheet", sheet, "--json").stdout)
    numbers = [each["number"] for each in document["waiting"]]
    assert document["judged"] > IMPORTED
    assert document["changed"] >= len(numbers) >= len(made.wrong) / 2
    assert {"number", "label", "reading", "doubt", "writer", "source"} == set(document["waiting"][0])
    with Image.open(sheet) as picture:
        assert picture.width > 12 * 28
    assert sheet.stat().st_mode & 0o777 == 0o600
    shown = run().stdout
    assert f"{numbers[0]}: said to be" in shown
    assert "█" in shown
    first, second, third = numbers[:3]
    done = run("--accept", first, "--relabel", f"{second}=7", "--drop", third, "--json")
    left = [each["number"] for each in json.loads(done.stdout)["waiting"]]
    assert left == [number for number in numbers if number not in {first, second, third}]
    assert json.loads(done.stdout) | {"accepted": 1, "relabelled": 1, "dropped": 1} == json.loads(done.stdout)
    assert "0 taken for right, 0 put right, 1 deleted for good." in run("--drop", left.pop()).stdout
    counts = {"accepted": len(left), "relabelled": 0, "dropped": 0}
    assert json.loads(run("--accept-all", "--json").stdout) == {"waiting": []} | counts
    assert isinstance(run("--relabel", "7").exception, SettingError)
    assert isinstance(run("--relabel", "7=1", "--relabel", "7=2").exception, SettingError)
    assert isinstance(run("--accept", 10**6).exception, NotFoundError)
    refused = run("--drop", left[0]).exception  # it was looked at, and waits no more
    assert isinstance(refused, NotFoundError)
    assert refused.exit_status == 2
