"""What people do on the pages, and what they may not."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from playwright.sync_api import expect

from handfed.server.runs.schemas import RoundResult
from handfed.server.runs.service import RunRecord
from handfed.simulations.pages.example import ADA
from handfed.simulations.pages.screenshots import places, settle
from tests.browser.accessibility import serious

BUTTONS = (
    "Invite a device",
    "Start a run",
    "Stop",
    "Revoke",
    "Pin to a release",
    "Roll back",
    "Promote",
    "Withdraw",
    "Change settings",
    "Enable",
    "Disable",
    "Start a comparison",
    "End the comparison",
)


def test_a_device_is_invited_and_an_invitation_withdrawn(own_site: Any, opened: Any) -> None:
    page = opened(own_site, "operator", place="devices")
    page.get_by_role("button", name="Invite a device").click()
    page.locator("dialog select[name=organisation]").select_option(label="School South")
    page.locator("dialog input[name=name]").fill("Room 99")
    page.get_by_role("button", name="Make the code").click()
    page.locator("dialog .code").wait_for()
    expect(page.locator("dialog .code")).to_contain_text("handfed join handfed-1-")
    assert page.locator("dialog img.qr").evaluate("picture => picture.decode().then(() => picture.naturalWidth > 0)")
    page.get_by_role("button", name="Close").click()
    row = page.locator("tr", has_text="Room 99")
    row.wait_for()
    expect(row).to_contain_text("School South")
    row.get_by_role("button", name="Withdraw").click()
    page.locator("dialog .primary").click()
    row.wait_for(state="detached")
    assert {each.state for each in own_site.host.services.invitations.list(ADA).items} == {"withdrawn"}


def test_an_admin_invites_into_a_new_organisation(own_site: Any, opened: Any) -> None:
    page = opened(own_site, "admin", place="devices")
    page.get_by_role("button", name="Invite a device").click()
    page.get_by_role("button", name="Add an organisation").click()
    page.locator("dialog input[name=called]").fill("Lycée Nord")
    page.get_by_role("button", name="Make the code").click()
    page.locator("dialog .code").wait_for()
    assert "Lycée Nord" in {each.name for each in own_site.host.services.organisations.list(ADA).items}


def test_a_device_is_revoked(own_site: Any, opened: Any) -> None:
    page = opened(own_site, "operator", place="devices/4")
    page.get_by_role("button", name="Revoke").click()
    page.locator("dialog .primary").click()
    page.locator("h1 .badge", has_text="revoked").wait_for()
    assert own_site.host.services.devices.get(ADA, 4).state == "revoked"
    expect(page.get_by_role("button", name="Revoke")).to_have_count(0)


def test_a_release_is_rolled_back_with_a_reason_on_record(own_site: Any, opened: Any) -> None:
    page = opened(own_site, "operator", place="releases/4")
    page.get_by_role("button", name="Roll back").click()
    page.locator("textarea").fill("a school asked for it")
    page.locator("dialog .primary").click()
    page.locator("h1 .badge", has_text="taken back").wait_for()
    assert own_site.host.services.promotions.get(4).phase == "rolled-back"
    expect(page.locator("main")).to_contain_text("a school asked for it")


def test_a_run_is_started_and_stopped_and_resumed(own_site: Any, opened: Any) -> None:
    page = opened(own_site, "operator", place="runs")
    page.get_by_role("button", name="Start a run").click()
    page.locator("dialog input[name=rounds]").fill("7")
    page.locator("dialog input[name=qat]").fill("2")
    page.locator("dialog .primary").click()
    page.locator("h1 .badge", has_text="waiting").wait_for()
    run = own_site.host.services.runs.list(ADA).items[0]
    assert (run.settings["rounds"], run.settings["qat_rounds"]) == (7, 2)
    page.get_by_role("button", name="Stop").click()
    page.locator("dialog .primary").click()
    page.locator("h1 .badge", has_text="stopped").wait_for()
    page.get_by_role("button", name="Resume").click()
    page.locator("h1 .badge", has_text="waiting").wait_for()


def test_the_policy_is_switched_off_and_on_again(own_site: Any, opened: Any) -> None:
    page = opened(own_site, "operator", place="learning")
    policies = own_site.host.services.policies
    for button, word in (("Disable", "disabled"), ("Enable", "enabled")):
        page.get_by_role("button", name=button, exact=True).click()
        page.locator("dialog .primary").click()
        expect(page.locator("section", has_text="When a run is started").locator(".badge").first).to_have_text(word)
        expect(page.locator("dialog")).to_have_count(0)
        assert (policies.get("digits").enabled_at is not None) == (word == "enabled")


def test_settings_of_learning_are_changed_in_peoples_units_and_the_others_stay(own_site: Any, opened: Any) -> None:
    page = opened(own_site, "operator", place="learning")
    page.get_by_role("button", name="Change settings").click()
    page.locator("dialog input[name=least_samples]").fill("2000")
    page.locator("dialog input[name=drift_error_rate]").fill("0.5")
    page.locator("dialog input[name=cool_down_s]").fill("36")
    page.get_by_role("button", name="Save").click()
    expect(page.locator("dialog")).to_have_count(0)
    row = page.get_by_role("row", name="New samples").first
    expect(row).to_contain_text("2,000 on 5 devices")
    settings = own_site.host.services.policies.get("digits").settings
    assert (settings["least_samples"], settings["drift_error_rate"], settings["cool_down_s"]) == (2000, 0.005, 129_600)
    assert (settings["every_days"], settings["least_each"]) == (14, 20)


def test_a_comparison_is_ended_and_another_started(own_site: Any, opened: Any) -> None:
    page = opened(own_site, "operator", place="learning")
    section = page.locator("section", has_text="Comparisons of two releases").last
    section.get_by_role("button", name="End the comparison").click()
    page.locator("dialog .primary").click()
    expect(page.locator("dialog")).to_have_count(0)
    comparisons = own_site.host.services.comparisons
    assert comparisons.list().items[0].ended_at is not None
    section.get_by_role("button", name="Start a comparison").click()
    page.locator("dialog select[name=a]").select_option("1")
    assert not serious(page)
    page.locator("dialog input[name=share]").fill("20")
    page.locator("dialog .primary").click()
    expect(section.locator("select").first).to_have_value("3")
    expect(section).to_contain_text("running")
    newest = comparisons.list().items[0]
    assert (newest.release_a, newest.release_b, newest.percent) == (1, 4, 20)


def test_what_the_server_refuses_is_told_and_nothing_is_lost(own_site: Any, opened: Any) -> None:
    opened.expected.add("status of 422")
    page = opened(own_site, "operator", place="runs")
    page.get_by_role("button", name="Start a run").click()
    page.locator("dialog select[name=task]").select_option("words")
    page.locator("dialog .primary").click()
    page.locator("dialog .notice.bad", has_text="alphabet").wait_for()
    assert page.locator("dialog select[name=task]").input_value() == "words"


def test_rounds_appear_as_they_end(own_site: Any, opened: Any) -> None:
    page = opened(own_site, "viewer", place=places(own_site.example)["run"])
    expect(page.locator(".progress-of-run")).to_contain_text("9 of 20")
    record = RunRecord(own_site.host.services.database)
    record.add_round(
        own_site.example.run, RoundResult(10, "float", datetime.now(UTC), 5.0, 40.0, 20, 20, 8000, 0.3, 0.9)
    )
    page.locator(".progress-of-run", has_text="10 of 20").wait_for()
    record.finish(own_site.example.run, {"accuracy_int8": 0.9})
    page.locator("h1 .badge", has_text="done").wait_for()


def test_what_devices_do_just_now_is_seen(own_site: Any, opened: Any) -> None:
    own_site.host.live.asked("train", [(1 << 40) + number for number in (1, 2, 3)])
    page = opened(own_site, "viewer", place=places(own_site.example)["run"])
    page.get_by_text("3 asked, 0 at work, 0 have answered").wait_for()
    own_site.host.live.fetched((1 << 40) + 1)
    own_site.host.live.answered((1 << 40) + 2)
    page.get_by_text("3 asked, 1 at work, 1 have answered").wait_for()


@pytest.mark.parametrize("who", ["viewer", "school viewer"])
def test_a_viewer_is_offered_nothing_and_can_change_nothing(site: Any, opened: Any, who: str) -> None:
    opened.expected.add("status of 403")
    page = opened(site, who)
    for place in places(site.example).values():
        page.goto(site.place(place))
        settle(page)
        for name in BUTTONS:
            assert not page.get_by_role("button", name=name, exact=True).count(), (place, name)
    statuses = page.evaluate(
        """async () => {
            const ask = (path, body = {}) => fetch("/api/v1" + path, {method: "POST", body: JSON.stringify(body),
                headers: {"Content-Type": "application/json", "X-Handfed-Page": "1"}}).then((answer) => answer.status);
            return Promise.all([ask("/invitations", {organisation: 1}), ask("/runs"), ask("/devices/4/revoke"),
                ask("/releases/4/promotion/rollback"), ask("/runs/3/stop"),
                ask("/tokens", {name: "x", role: "admin"}), ask("/learning/digits/disable"),
                ask("/comparisons", {release_a: 1, release_b: 3}), ask("/comparisons/2/end")]);
        }"""
    )
    assert set(statuses) == {403}


def test_a_school_sees_its_own(site: Any, opened: Any) -> None:
    page = opened(site, "school", place="devices")
    assert set(page.locator("tbody tr td:nth-child(2)").all_inner_texts()) == {"Clinic North"}
    page.goto(site.place(places(site.example)["run"]))
    settle(page)
    expect(page.get_by_role("button", name="Stop")).to_have_count(0)


def test_a_page_says_when_the_server_is_away_and_comes_back(own_site: Any, opened: Any) -> None:
    opened.expected.add("ERR_FAILED")
    page = opened(own_site, "viewer", place="overview")
    page.route("**/api/**", lambda route: route.abort())
    page.locator(".notice.bad", has_text="does not answer").wait_for()
    expect(page.locator(".tile")).to_have_count(5)  # what was known stays
    page.unroute("**/api/**")
    page.get_by_role("button", name="Try again").click()
    page.locator(".notice.bad").wait_for(state="detached")


def test_who_was_revoked_is_asked_to_log_in_again(own_site: Any, opened: Any) -> None:
    page = opened(own_site, "viewer", place="overview")
    tokens = own_site.host.services.tokens
    number = next(each.number for each in tokens.list(ADA).items if each.name.startswith("Cy"))
    tokens.revoke(ADA, number)
    page.get_by_text("Your session is over: log in again.").wait_for()
    page.locator("input[type=password]").fill(own_site.example.tokens["viewer"])
    page.locator("button.primary").click()
    page.get_by_text("This token is unknown, expired or revoked.").wait_for()


def test_who_logs_out_is_out(own_site: Any, opened: Any) -> None:
    page = opened(own_site, "viewer", place="overview")
    page.get_by_role("button", name="Log out").click()
    page.locator("input[type=password]").wait_for()
    page.reload()
    page.locator("input[type=password]").wait_for()
    assert not [each for each in page.context.cookies() if each["name"] == "__Host-handfed"]


def test_the_audit_log_is_filtered_and_exported(own_site: Any, opened: Any) -> None:
    page = opened(own_site, "admin", place="privacy")
    page.locator("input[name=object]").fill("organisation")
    page.locator("input[name=object]").press("Tab")
    rows = page.get_by_role("table", name="Audit log").locator("tbody tr")
    expect(rows).to_have_count(4)
    with page.expect_download() as waited:
        page.get_by_role("link", name="Export CSV").click()
    assert len(waited.value.path().read_text("utf-8").splitlines()) == 5


def test_a_model_is_downloaded(site: Any, opened: Any) -> None:
    page = opened(site, "viewer", place="releases/4")
    with page.expect_download() as waited:
        page.get_by_role("link", name="model.tflite").click()
    assert waited.value.suggested_filename == "release-4-model.tflite"
    assert waited.value.path().stat().st_size == 97_004
