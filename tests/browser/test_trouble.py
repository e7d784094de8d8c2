"""What the pages do when something is amiss: the server, the connection, a clock, or a tab that nobody looks at."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import expect

from handfed.simulations.pages.example import ADA
from handfed.simulations.pages.screenshots import places, settle

HIDE = "Object.defineProperty(document, 'hidden', {get: () => window.isHidden ?? true, configurable: true})"
TURN = "window.isHidden = !window.isHidden; document.dispatchEvent(new Event('visibilitychange'))"
STREAMS = """window.streams = []; const Plain = EventSource;
window.EventSource = class extends Plain { constructor(...asked) { super(...asked); window.streams.push(this); } }"""
OPEN = "() => window.streams.filter((each) => each.readyState !== EventSource.CLOSED).length"


def refuse(status: int, times: int = 1000) -> Any:
    """A server that refuses so often, and then answers."""
    left = [times]

    def answer(route: Any) -> None:
        left[0] -= 1
        if left[0] >= 0:
            route.fulfill(status=status, content_type="application/problem+json", body='{"detail": "Wait a little."}')
        else:
            route.continue_()

    return answer


@pytest.mark.parametrize(
    ("place", "button", "field", "typed"),
    [
        ("learning", "Change settings", "input[name=least_samples]", "777"),
        ("devices", "Invite a device", "select[name=lives]", "week"),
        ("devices", "Invite a device", "input[name=name]", "Room 99"),
    ],
)
def test_what_is_typed_stays_while_the_page_behind_is_told_something(
    site: Any, opened: Any, place: str, button: str, field: str, typed: str
) -> None:
    page = opened(site, place=place)
    page.get_by_role("button", name=button).click()
    typed_in = page.locator(f"dialog {field}")
    typed_in.select_option(typed) if field.startswith("select") else typed_in.fill(typed)
    with page.expect_response(lambda answer: "/api/v1/" in answer.url):
        page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    page.wait_for_timeout(300)  # it is drawn anew
    assert typed_in.input_value() == typed


def test_a_dialogue_stays_where_it_is_when_the_page_comes_late(site: Any, opened: Any) -> None:
    waiting: list[Any] = []
    page = opened(site)
    page.route("**/runs?limit=500", lambda route: waiting.append(route))  # noqa: PLW0108 - Playwright marks what it is given
    page.goto(site.place("runs"))
    page.get_by_role("button", name="Start a run").click()
    rounds = page.locator("dialog input[name=rounds]")
    rounds.fill("3")
    while not waiting:  # the page asks when it has been painted
        page.wait_for_timeout(20)
    waiting[0].continue_()
    page.locator("table").wait_for(state="attached")
    expect(rounds).to_be_focused()
    expect(rounds).to_have_value("3")
    assert page.locator("dialog").evaluate("(dialog) => dialog.matches(':modal')")


def test_a_page_that_is_opened_in_the_background_has_asked_when_one_turns_to_it(site: Any, opened: Any) -> None:
    page = opened(site)
    page.add_init_script(HIDE)
    page.goto(site.place("fairness"))
    page.reload()
    settle(page)


def test_a_tab_that_nobody_looks_at_leaves_the_browser_its_connections(site: Any, opened: Any) -> None:
    page = opened(site)
    page.add_init_script(f"{HIDE}; window.isHidden = false; {STREAMS}")
    page.goto(site.place(places(site.example)["run"]))
    page.reload()
    settle(page)
    page.wait_for_function(f"({OPEN})() === 1")
    page.evaluate(TURN)
    assert page.evaluate(OPEN) == 0
    page.evaluate(TURN)
    assert page.evaluate(OPEN) == 1
    expect(page.locator(".progress-of-run")).to_contain_text("9 of 20")


def test_a_live_view_that_was_refused_comes_back_by_itself(site: Any, opened: Any) -> None:
    opened.expected.add("status of 503")
    page = opened(site)
    page.route("**/events", refuse(503, times=2))
    page.goto(site.place(places(site.example)["run"]))
    page.locator(".notice.warn").wait_for()
    expect(page.locator(".progress-of-run")).to_contain_text("9 of 20")
    expect(page.locator(".notice.warn")).to_have_count(0)


def test_who_could_not_be_logged_out_is_told(own_site: Any, opened: Any) -> None:
    opened.expected.add("status of 503")
    page = opened(own_site)
    page.route("**/session", refuse(503, times=1))
    page.get_by_role("button", name="Log out").click()
    expect(page.get_by_role("alert")).to_contain_text("Wait a little.")
    expect(page.locator("input[type=password]")).to_have_count(0)
    page.get_by_role("button", name="Log out").click()
    page.locator("input[type=password]").wait_for()
    page.reload()
    page.locator("input[type=password]").wait_for()


def test_a_clock_that_is_off_makes_no_device_offline(own_site: Any, opened: Any) -> None:
    page = opened(own_site)
    page.add_init_script("const real = Date.now; Date.now = () => real() + 300_000")
    devices = own_site.host.services.devices
    devices.touch(devices.enrolled())  # just now, however long it took to come here
    page.goto(own_site.place("devices"))
    page.reload()
    settle(page)
    assert page.locator(".badge", has_text="online").count() > 10


def test_a_pin_that_could_not_be_taken_off_is_told(own_site: Any, opened: Any) -> None:
    opened.expected.add("status of 503")
    own_site.host.services.pins.pin(ADA, 4, 1)
    page = opened(own_site, place="devices/4")
    page.route("**/unpin", refuse(503, times=1))
    button = page.get_by_role("button", name="Follow the channel again")
    button.click()
    expect(page.get_by_role("alert")).to_contain_text("Wait a little.")
    button.click()
    expect(button).to_have_count(0)
    expect(page.get_by_role("alert")).to_have_count(0)


@pytest.mark.parametrize(
    ("status", "says"),
    [(401, "unknown, expired or revoked"), (429, "wait a minute"), (503, "does not answer just now")],
)
def test_the_login_tells_a_wrong_token_from_a_server_in_trouble(site: Any, opened: Any, status: int, says: str) -> None:
    opened.expected.add(f"status of {status}")
    page = opened(site, None)
    page.route("**/session", refuse(status))
    page.locator("input[type=password]").fill("hf_x")
    page.locator("button.primary").click()
    expect(page.get_by_role("alert")).to_contain_text(says)


def test_a_dialogue_gives_the_keyboard_back_to_where_it_was(site: Any, opened: Any) -> None:
    page = opened(site, place="runs")
    button = page.get_by_role("button", name="Start a run")
    button.focus()
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Cancel").focus()
    page.keyboard.press("Enter")
    expect(page.locator("dialog")).to_have_count(0)
    expect(button).to_be_focused()
