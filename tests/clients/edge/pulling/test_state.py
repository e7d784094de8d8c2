"""What a device says of its releases survives its file, other versions of the software, and a damaged disk."""

from __future__ import annotations

import json
import stat
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handfed.clients.edge.marks import Mark
from handfed.clients.edge.state import Fact, Quarantine, Reason, State
from handfed.clients.edge.store import name_of, number_of
from handfed.shared.errors import ManifestError, StorageError

if TYPE_CHECKING:
    from tests.clients.edge.pulling.conftest import Device

NAMES = st.builds(name_of, st.integers(1, 10**9), st.text("0123456789abcdef", min_size=64, max_size=64))


def of_its_own(state: State, chosen: list[bool]) -> State:
    """A state some of whose releases have read something."""
    return replace(state, good=tuple(name for name, good in zip(state.held, chosen, strict=False) if good))


STATES = st.builds(
    of_its_own,
    st.builds(
        State,
        task=st.none() | st.text(),
        follows=st.sampled_from(["stable", "canary"]),
        current=st.none() | NAMES,
        previous=st.lists(NAMES, max_size=2, unique=True).map(tuple),
        quarantined=st.dictionaries(NAMES, st.builds(Quarantine, st.sampled_from(Reason), st.text())),
        marks=st.lists(st.builds(Mark, NAMES, st.integers(1), st.text(), st.text(), st.text()), max_size=2).map(tuple),
        crashes=st.integers(0, 2),
        facts=st.lists(st.builds(Fact, st.text(), st.none() | NAMES, st.none() | st.text(), st.text())).map(tuple),
        pulled_at=st.none() | st.text(),
        registry=st.none() | st.text(),
        foreign=st.lists(NAMES, max_size=2).map(tuple),
    ),
    st.lists(st.booleans(), min_size=3, max_size=3),
)


@given(STATES)
def test_it_is_read_as_it_was_written(state: State) -> None:
    assert State.decode(state.encode()) == state


@given(STATES)
def test_unknown_fields_are_passed_over(state: State) -> None:
    document = {**json.loads(state.encode()), "later": [1]}
    for each in [*document["facts"], *document["quarantined"].values(), *document["marks"]]:
        each["later"] = 1
    assert State.decode(json.dumps(document).encode()) == state


def test_a_reason_that_is_not_known_is_one() -> None:
    content = b'{"format": 1, "quarantined": {"0001-000000000000": {"reason": "whim", "software": "x"}}}'
    assert State.decode(content).quarantined == {"0001-000000000000": Quarantine(Reason.UNUSABLE, "x")}


def test_a_newer_format_is_refused() -> None:
    with pytest.raises(StorageError, match="written by a newer handfed"):
        State.decode(b'{"format": 2}')


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"{}",
        b'{"format": "1"}',
        b'{"format": 1, "follows": "beta"}',
        b'{"format": 1, "current": 3}',
        b'{"format": 1, "quarantined": {"a": 1}}',
        b'{"format": 1, "facts": [{"what": "x"}]}',
        b'{"format": 1, "previous": [1]}',
        b'{"format": 1, "mark": 1}',
        b'{"format": 1, "marks": [1]}',
        b'{"format": 1, "good": [1]}',
        b'{"format": 1, "foreign": 1}',
    ],
)
def test_what_is_damaged_is_no_state(content: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        State.decode(content)


def test_a_state_of_an_older_software_is_read() -> None:
    mark = {"release": "0003-000000000000", "process": 7, "started": "12", "boot": "x"}
    document = {"format": 1, "current": "0003-000000000000", "previous": ["0002-000000000000"], "mark": mark}
    state = State.decode(json.dumps({**document, "proved": True}).encode())
    assert (state.proved, state.good) == (True, ("0003-000000000000", "0002-000000000000"))
    assert state.marks == (Mark("0003-000000000000", 7, "12", "x"),)
    assert State.decode(json.dumps({**document, "proved": False}).encode()).good == ("0002-000000000000",)


@given(STATES, NAMES)
def test_a_switch_keeps_what_was_good_and_never_more_than_two(state: State, name: str) -> None:
    before = [each for each in state.held if each != name]
    after = state.switched(name, str(state.task))
    assert after.current == name
    assert name not in after.previous
    if state.task is not None or not before:
        good = [each for each in before if each in state.good]
        assert list(after.previous) == (good or before)[:2]
    assert after.proved == (name in state.good and name in state.held)
    assert len(replace(after.proven(), on_trial=None).kept) <= 2


@given(STATES, st.lists(NAMES, min_size=1, max_size=6))
def test_releases_that_read_nothing_push_no_good_one_out(state: State, names: list[str]) -> None:
    good = [each for each in state.held if each in state.good and each not in names]
    after = state
    for name in names:
        after = after.switched(name, "digits" if state.task is None else state.task)
    assert [each for each in after.previous if each in good] == good[:2]


@given(STATES, NAMES, NAMES)
def test_of_another_task_nothing_is_left_to_go_back_to(state: State, name: str, trial: str) -> None:
    after = replace(state, task="digits", on_trial=trial).switched(name, "letters")
    assert (after.task, after.current, after.previous, after.on_trial) == ("letters", name, (), None)


@given(STATES)
def test_going_back_uses_the_one_before(state: State) -> None:
    if state.current is None or state.current in state.previous:
        return
    after = state.without(state.current, None)
    assert state.current not in after.good
    assert after.proved == bool(state.previous and state.previous[0] in state.good)
    assert after.current == (state.previous[0] if state.previous else None)
    assert state.current not in after.kept


def test_what_happens_again_is_counted_and_the_oldest_facts_go() -> None:
    state = State()
    for number in range(150):
        state = state.with_fact("refused", None, f"rule {number // 2}", f"at {number}")
    assert state.facts[-1] == Fact("refused", None, "rule 74", "at 149", 2)
    state = replace(state, facts=tuple(replace(fact, reason=str(at)) for at, fact in enumerate(state.facts * 2)))
    assert len(state.with_fact("switched", None, None, "now").facts) == 100


@pytest.mark.parametrize("content", [b"", b"{", b'{"format": 1, "current": 7}'])
def test_a_damaged_state_costs_nothing_but_what_it_said(device: Device, content: bytes) -> None:
    device.registry.offer(2)
    assert device.pull().current == 2
    (device.store.directory / "state.json").write_bytes(content)
    assert device.reads() == 2
    assert [number_of(name) for name in device.store.state().previous] == [1]


def test_a_state_of_a_newer_software_is_left_alone(device: Device) -> None:
    path = device.store.directory / "state.json"
    path.write_bytes(b'{"format": 9}')
    for use in (device.reads, device.pull):
        with pytest.raises(StorageError, match="update this software"):
            use()
    assert path.read_bytes() == b'{"format": 9}'


def test_nobody_but_its_owner_reads_the_store(device: Device) -> None:
    for path in [device.store.directory, *device.store.directory.rglob("*")]:
        assert not stat.S_IMODE(path.stat().st_mode) & 0o077, path


@pytest.mark.parametrize("name", ["../0001-0123456789ab", "0001", "", "0001-0123456789AB", "/etc"])
def test_only_a_release_has_a_path(device: Device, name: str) -> None:
    with pytest.raises(ManifestError, match="no release of this device"):
        device.store.path(name)


def test_no_fact_names_a_path_or_a_reading(device: Device) -> None:
    device.registry.offer(2)
    device.pull(latency_ms=1e-6)
    document: dict[str, Any] = json.loads((device.store.directory / "state.json").read_bytes())
    assert len(document["facts"]) == 2
    assert str(device.folder) not in json.dumps(document)
