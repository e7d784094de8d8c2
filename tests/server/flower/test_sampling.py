"""Who is chosen for a round, whoever comes and goes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handfed.server.flower.sampling import Turns, counted, fair, uniform

DEVICES = range(1, 9)
Days = list[frozenset[int]]  # who is there, round by round
seeds = st.integers(0, 2**31 - 1)
counts = st.integers(1, 5)
days = st.lists(st.frozensets(st.sampled_from(DEVICES)), min_size=1, max_size=40)


def played(
    there: Days, count: int, seed: int, turns: dict[int, Turns] | None = None, first: int = 1
) -> list[tuple[tuple[int, ...], dict[int, Turns]]]:
    """What is chosen in each round, and the turns after it."""
    found = []
    had: dict[int, Turns] = turns or {}
    for number, present in enumerate(there, start=first):
        chosen = fair(present, count, had, seed=seed, number=number)
        had = counted(had, present, chosen, number)
        found.append((chosen, had))
    return found


@given(days, counts, seeds)
def test_as_many_as_wanted_are_chosen_of_those_that_are_there_each_once(there: Days, count: int, seed: int) -> None:
    for present, (chosen, _) in zip(there, played(there, count, seed), strict=True):
        assert list(chosen) == sorted(set(chosen))
        assert set(chosen) <= present
        assert len(chosen) == min(count, len(present))


@given(days, counts, seeds)
def test_nobody_is_passed_over_for_a_device_with_more_turns(there: Days, count: int, seed: int) -> None:
    before: dict[int, Turns] = dict.fromkeys(DEVICES, Turns())
    for present, (chosen, after) in zip(there, played(there, count, seed, before), strict=True):
        passed_over = present - set(chosen)
        assert all(before[one].taken <= before[other].taken for one in chosen for other in passed_over)
        before = after


@given(days, counts, seeds, st.sets(st.sampled_from(DEVICES), min_size=1))
def test_nobody_is_more_than_a_turn_ahead_of_who_was_always_there(
    there: Days, count: int, seed: int, always: set[int]
) -> None:
    """Also where devices come that nobody knew before."""
    for _, turns in played([present | always for present in there], count, seed):
        most = max(had.taken for had in turns.values())
        assert all(turns[device].taken >= most - 1 for device in always)


@given(counts, seeds)
def test_where_all_are_always_there_all_have_their_turn_before_any_has_another(count: int, seed: int) -> None:
    waited = dict.fromkeys(DEVICES, 0)
    for chosen, _ in played([frozenset(DEVICES)] * 24, count, seed):
        waited = {device: 0 if device in chosen else rounds + 1 for device, rounds in waited.items()}
        assert max(waited.values()) <= 2 * -(-len(DEVICES) // count)


@given(days, counts, seeds, st.data())
def test_a_run_that_goes_on_chooses_what_it_would_have_chosen(
    there: Days, count: int, seed: int, data: st.DataObject
) -> None:
    whole = played(there, count, seed)
    broke = data.draw(st.integers(1, len(there)))
    rest = played(there[broke:], count, seed, whole[broke - 1][1], first=broke + 1)
    assert whole[:broke] + rest == whole


def test_among_equals_the_seed_decides_and_each_is_chosen_at_times() -> None:
    first = [fair(DEVICES, 1, {}, seed=seed, number=1) for seed in range(200)]
    assert {device for chosen in first for device in chosen} == set(DEVICES)


def test_who_has_waited_longest_comes_first_among_those_with_as_many_turns() -> None:
    turns = {1: Turns(2, 9), 2: Turns(2, 5), 3: Turns(3, 1)}
    assert fair([1, 2, 3], 1, turns, seed=0, number=10) == (2,)


def test_rounds_are_not_made_of_newcomers_alone_until_they_have_caught_up() -> None:
    old = {device: Turns(10, 20) for device in (1, 2)}
    later = played([frozenset({1, 2, 3, 4})] * 6, 2, 0, old, first=21)
    assert {device: had.taken for device, had in later[-1][1].items()} == dict.fromkeys((1, 2, 3, 4), 13)


@pytest.mark.parametrize("count", [1, 3, 8, 20])
def test_uniform_gives_each_the_same_chance_whatever_came_before(count: int) -> None:
    chosen = [uniform(DEVICES, count, seed=7, number=number) for number in range(2000)]
    times = [sum(device in each for each in chosen) for device in DEVICES]
    expected = 2000 * min(count, 8) / 8
    assert all(abs(each - expected) <= 150 for each in times)
    assert chosen == [uniform(DEVICES[::-1], count, seed=7, number=number) for number in range(2000)]
