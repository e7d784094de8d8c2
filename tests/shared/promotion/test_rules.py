"""From candidate to every device, or back: every state and every event has its answer."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handfed.shared.errors import ConflictError, UsageError
from handfed.shared.promotion.paired_test import Judgement, Verdict
from handfed.shared.promotion.rules import Action, ByHand, Event, Health, Phase, Promotion, Review, Superseded, step
from handfed.shared.promotion.settings import PromotionSettings

DAY = 86_400.0
SETTINGS = PromotionSettings()
JUDGEMENTS = {verdict: Judgement(verdict, 150, 9000, 30, 28, 12_000, 5.0, -5.0) for verdict in Verdict}
GOOD, BAD, UNDECIDED = (JUDGEMENTS[each] for each in (Verdict.NOT_WORSE, Verdict.WORSE, Verdict.UNDECIDED))
WELL = Health(asked=10, healthy=9, crashed=1)
ILL = Health(asked=10, healthy=8, crashed=1, slow=1)
QUIET = Health(asked=10, healthy=2)

PROMOTIONS = [
    *(Promotion(Phase.CANDIDATE, 0, shown=shown) for shown in (False, True)),
    *(Promotion(Phase.ROLLING_OUT, number, shown=shown) for number in (1, 2) for shown in (False, True)),
    *(Promotion(Phase.STABLE, 3, shown=True, pinned=pinned) for pinned in (False, True)),
    *(Promotion(Phase.PAUSED, number, shown=True) for number in (0, 1, 2)),
    Promotion(Phase.ROLLED_BACK),
    Promotion(Phase.SUPERSEDED),
]
EVENTS: list[Event] = [
    *(
        Review(10 * DAY, judgement, health, pinned)
        for judgement, health, pinned in product(JUDGEMENTS.values(), (Health(), WELL, ILL, QUIET), (False, True))
    ),
    *(ByHand(10 * DAY, action, "because") for action in Action),
    Superseded(10 * DAY, by=9),
]


@pytest.mark.parametrize("event", EVENTS, ids=str)
@pytest.mark.parametrize("promotion", PROMOTIONS, ids=str)
def test_every_state_answers_every_event_within_the_rules(promotion: Promotion, event: Event) -> None:
    try:
        after = step(promotion, event, SETTINGS)
    except ConflictError:
        assert isinstance(event, ByHand)
        return
    assert after.reason
    assert after.percent(SETTINGS) in {0, 5, 25, 100}
    assert (after.phase is Phase.STABLE) == (after.step == 3)
    by_hand = isinstance(event, ByHand)
    if after.step > promotion.step:
        assert after.step == promotion.step + 1 or (by_hand and event.action is Action.PIN)  # type: ignore[union-attr]
        assert by_hand or after.shown
        assert by_hand or promotion.phase in {Phase.CANDIDATE, Phase.ROLLING_OUT}
    if (after.phase, after.step) != (promotion.phase, promotion.step):
        assert after.since_s == 10 * DAY
    if promotion.pinned and isinstance(event, Review):
        assert after == promotion
    if promotion.phase in {Phase.ROLLED_BACK, Phase.SUPERSEDED}:
        assert after == promotion or after.pinned


@given(st.lists(st.sampled_from([each for each in EVENTS if isinstance(each, Review)]), max_size=12))
def test_reviews_never_bring_anybody_a_release_without_evidence(reviews: list[Review]) -> None:
    promotion, seen = Promotion(), False
    for number, review in enumerate(reviews):
        seen |= review.judgement.verdict is Verdict.NOT_WORSE
        promotion = step(promotion, replace(review, now_s=number * DAY), SETTINGS)
        assert promotion.step == 0 or seen


def test_a_good_candidate_reaches_every_device_step_by_step() -> None:
    promotion, percents = Promotion(since_s=0.0), []
    for day, health in enumerate((Health(), WELL, WELL, WELL)):
        promotion = step(promotion, Review(day * DAY, GOOD, health), SETTINGS)
        percents.append(promotion.percent(SETTINGS))
    assert percents == [5, 25, 100, 100]
    assert promotion.phase is Phase.STABLE


def test_a_candidate_without_enough_evidence_stays_one_and_says_so() -> None:
    found = step(Promotion(), Review(100 * DAY, UNDECIDED), SETTINGS)
    assert found.phase is Phase.CANDIDATE
    assert found.reason.startswith("readings so far are not enough evidence")
    all_in = replace(UNDECIDED, samples=12_000)
    assert "all readings are in" in step(Promotion(), Review(100 * DAY, all_in), SETTINGS).reason


def test_a_candidate_that_one_device_holds_up_waits_for_a_person() -> None:
    found = step(Promotion(), Review(DAY, replace(UNDECIDED, held_up=True)), SETTINGS)
    assert found.phase is Phase.CANDIDATE
    assert "for a person to look at" in found.reason


@pytest.mark.parametrize("promotion", [each for each in PROMOTIONS if each.phase is not Phase.ROLLED_BACK], ids=str)
def test_what_is_worse_goes_back_from_everywhere_unless_it_is_pinned_or_over(promotion: Promotion) -> None:
    found = step(promotion, Review(DAY, BAD, WELL), SETTINGS)
    if promotion.pinned or promotion.phase is Phase.SUPERSEDED:
        assert found == promotion
    else:
        assert (found.phase, found.percent(SETTINGS)) == (Phase.ROLLED_BACK, 0)
        assert found.reason.startswith("worse by 0.30 points or more: 30 readings right by it alone")


@pytest.mark.parametrize(
    ("health", "phase", "reason"),
    [
        (Health(asked=10, healthy=10), Phase.ROLLING_OUT, "10 of 10"),
        (Health(asked=10, healthy=9, failed_self_test=1), Phase.ROLLING_OUT, "9 of 10"),
        (Health(asked=10, healthy=8, failed_self_test=2), Phase.ROLLED_BACK, "2 failed its self-test"),
        (Health(asked=10, healthy=8, failed_self_test=1, slow=1), Phase.ROLLED_BACK, "1 were slow"),
        (Health(asked=100, healthy=95, crashed=5), Phase.ROLLING_OUT, "95 of 100"),
        (Health(asked=100, healthy=94, crashed=6), Phase.ROLLED_BACK, "6 crashed"),
    ],
)
def test_ill_health_of_more_than_one_device_and_five_per_cent_sends_back(
    health: Health, phase: Phase, reason: str
) -> None:
    found = step(Promotion(Phase.ROLLING_OUT, 1, shown=True), Review(DAY, GOOD, health), SETTINGS)
    assert found.phase is phase
    assert reason in found.reason


@pytest.mark.parametrize(
    ("health", "further"),
    [
        (Health(asked=10, healthy=4), False),
        (Health(asked=10, healthy=5), True),
        (Health(asked=4, healthy=2), False),
        (Health(asked=4, healthy=3), True),
        (Health(asked=2, healthy=1), False),
        (Health(asked=2, healthy=2), True),
        (Health(asked=1, crashed=1), True),  # one device does not decide
        (Health(), True),  # no device falls within these per cents
    ],
)
def test_a_step_needs_half_of_its_devices_well_and_three_where_there_are_so_many(health: Health, further: bool) -> None:
    found = step(Promotion(Phase.ROLLING_OUT, 1, shown=True), Review(DAY, GOOD, health), SETTINGS)
    assert (found.step == 2) == further


def test_a_step_takes_its_time() -> None:
    canary = Promotion(Phase.ROLLING_OUT, 1, since_s=100.0, shown=True)
    early = step(canary, Review(99.0 + DAY, GOOD, WELL), SETTINGS)
    assert (early.step, early.since_s) == (1, 100.0)
    assert "at 5 % for 86,400 s" in early.reason
    assert step(canary, Review(100.0 + DAY, GOOD, WELL), SETTINGS).step == 2


def test_evidence_that_was_once_enough_stays_so() -> None:
    canary = step(Promotion(), Review(0.0, GOOD), SETTINGS)
    assert step(canary, Review(DAY, UNDECIDED, WELL), SETTINGS).step == 2


def test_what_was_promoted_by_hand_waits_for_evidence_before_its_next_step() -> None:
    canary = step(Promotion(), ByHand(0.0, Action.PROMOTE, "the exam is tomorrow"), SETTINGS)
    assert (canary.step, canary.reason) == (1, "promote by hand: the exam is tomorrow")
    waiting = step(canary, Review(9 * DAY, UNDECIDED, WELL), SETTINGS)
    assert waiting.step == 1
    assert step(waiting, Review(9 * DAY, GOOD, WELL), SETTINGS).step == 2


def test_a_pause_holds_until_a_person_ends_it_and_harm_still_sends_back() -> None:
    paused = step(Promotion(Phase.ROLLING_OUT, 1, shown=True), ByHand(0.0, Action.PAUSE), SETTINGS)
    assert step(paused, Review(9 * DAY, GOOD, WELL), SETTINGS).phase is Phase.PAUSED
    assert step(paused, Review(9 * DAY, GOOD, ILL), SETTINGS).phase is Phase.ROLLED_BACK
    resumed = step(paused, ByHand(9 * DAY, Action.PROMOTE), SETTINGS)
    assert (resumed.phase, resumed.step, resumed.since_s) == (Phase.ROLLING_OUT, 1, 9 * DAY)
    candidate = step(step(Promotion(), ByHand(0.0, Action.PAUSE), SETTINGS), ByHand(1.0, Action.PROMOTE), SETTINGS)
    assert candidate.phase is Phase.CANDIDATE


def test_what_is_pinned_stays_until_the_rules_hold_again() -> None:
    pinned = step(Promotion(Phase.ROLLED_BACK), ByHand(0.0, Action.PIN), SETTINGS)
    assert (pinned.percent(SETTINGS), pinned.pinned) == (100, True)
    assert step(pinned, Review(DAY, BAD, ILL), SETTINGS) == pinned
    free = step(pinned, ByHand(DAY, Action.PROMOTE), SETTINGS)
    assert (free.phase, free.pinned) == (Phase.STABLE, False)
    assert step(free, Review(DAY, BAD, WELL), SETTINGS).phase is Phase.ROLLED_BACK


def test_while_another_release_is_pinned_nothing_goes_forward() -> None:
    for promotion in (Promotion(), Promotion(Phase.ROLLING_OUT, 1, shown=True)):
        found = step(promotion, Review(DAY, GOOD, WELL, other_is_pinned=True), SETTINGS)
        assert (found.step, found.reason) == (promotion.step, "another release is pinned")


@pytest.mark.parametrize(
    ("phase", "action"),
    [
        (Phase.STABLE, Action.PROMOTE),
        (Phase.STABLE, Action.PAUSE),
        (Phase.PAUSED, Action.PAUSE),
        *product((Phase.ROLLED_BACK, Phase.SUPERSEDED), (Action.PROMOTE, Action.PAUSE, Action.ROLLBACK)),
    ],
)
def test_what_contradicts_how_things_are_is_refused(phase: Phase, action: Action) -> None:
    with pytest.raises(ConflictError, match=f"{phase} cannot take {action}"):
        step(Promotion(phase, 3 if phase is Phase.STABLE else 0), ByHand(0.0, action), SETTINGS)


def test_another_release_takes_the_place_of_what_is_not_over() -> None:
    found = step(Promotion(Phase.STABLE, 3, pinned=True), Superseded(DAY, by=9), SETTINGS)
    assert (found.phase, found.percent(SETTINGS), found.pinned) == (Phase.SUPERSEDED, 0, False)
    assert found.reason == "release 9 has taken its place"


@pytest.mark.parametrize("wrong", [{"asked": -1}, {"healthy": 11}, {"slow": -1}, {"healthy": 6, "crashed": 5}])
def test_health_that_cannot_be_is_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(UsageError, match="health"):
        Health(**{"asked": 10, **wrong})
