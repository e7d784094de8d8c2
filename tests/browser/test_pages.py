"""Every page in a real browser: it is there, it fits, it is accessible, and it says what the record says."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.sync_api import expect

from handfed.server.people.principals import Principal
from handfed.simulations.pages.browser import DESKTOP, PHONE, log_in, page_of
from handfed.simulations.pages.example import ADA
from handfed.simulations.pages.screenshots import places, settle
from tests.browser.accessibility import serious

PAGES = (
    *("overview", "runs", "run", "run-done", "devices", "device", "releases", "release"),
    *("learning", "try", "fairness", "privacy"),
)
FIRST_VIEW_BYTES = 200_000


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_there_and_fits_a_phone_and_a_desktop(site: Any, opened: Any, name: str) -> None:
    page = opened(site, place=places(site.example)[name])
    for width, height in (DESKTOP, PHONE):
        page.set_viewport_size({"width": width, "height": height})
        settle(page)
        page.wait_for_function("width => document.documentElement.scrollWidth <= width", arg=width)  # charts follow
        expect(page.locator("main h1")).to_be_visible()
    expect(page.locator(".notice.bad")).to_have_count(0)


@pytest.mark.parametrize("name", ["login", *PAGES])
def test_axe_finds_nothing_serious(site: Any, opened: Any, name: str) -> None:
    for theme, size in (("light", DESKTOP), ("dark", PHONE)):
        place = places(site.example).get(name)
        page = opened(site, "admin" if place else None, place=place, theme=theme, size=size)
        if place is None:
            page.locator("input[type=password]").wait_for()
        assert not serious(page), (theme, size)


@pytest.mark.parametrize("dialogue", ["invite", "run", "rollback", "policy", "disable", "comparison"])
def test_axe_finds_nothing_serious_in_a_dialogue(site: Any, opened: Any, dialogue: str) -> None:
    place, button = {
        "invite": ("devices", "Invite a device"),
        "run": ("runs", "Start a run"),
        "rollback": ("releases/4", "Roll back"),
        "policy": ("learning", "Change settings"),
        "disable": ("learning", "Disable"),
        "comparison": ("learning", "End the comparison"),
    }[dialogue]
    page = opened(site, place=place)
    page.get_by_role("button", name=button).click()
    page.locator("dialog[open]").wait_for()
    assert not serious(page)


@pytest.mark.parametrize(
    ("language", "heading"),
    [("de-DE", "Überblick"), ("fr-FR", "Vue d\u2019ensemble"), ("zh-CN", "概览"), ("es-ES", "Overview")],
)
def test_the_pages_speak_the_browsers_language(site: Any, opened: Any, language: str, heading: str) -> None:
    page = opened(site, language=language)
    page.locator("main h1", has_text=heading).wait_for()
    assert page.locator("html").get_attribute("lang") == ("en" if language == "es-ES" else language[:2])


@pytest.mark.parametrize("code", ["en", "de", "fr", "zh"])
def test_in_every_language_a_page_has_words_and_fits_a_phone(site: Any, opened: Any, code: str) -> None:
    page = opened(site)
    page.locator("select").first.select_option(code)
    page.set_viewport_size({"width": PHONE[0], "height": PHONE[1]})
    page.locator(f"html[lang={code}]").wait_for(state="attached")
    for place in places(site.example).values():
        page.goto(site.place(place))
        settle(page)
        text = re.sub(
            r"\b(model|browser)\.tflite|manifest\.json|README\.md|\d\.\d\.\d|127\.0\.0\.1", "", page.inner_text("body")
        )
        assert not re.findall(r"\b[a-z]+\.[a-z][\w.-]+\b", text), place
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE[0], place
        assert "[object" not in page.title()


def test_the_first_view_is_small(site: Any, chromium: Any) -> None:
    answers: list[Any] = []
    with page_of(chromium) as page:
        page.on("response", lambda answer: answers.append(answer))  # noqa: PLW0108 - Playwright marks what it is given
        log_in(page, site.host.url, site.example.tokens["admin"])
        settle(page)
        sizes = {answer.url: answer.request.sizes()["responseBodySize"] for answer in answers}
    assert any(url.endswith("preact-htm.js") for url in sizes)
    assert 20_000 < sum(sizes.values()) <= FIRST_VIEW_BYTES
    assert all(url.startswith(site.host.url.removesuffix("dashboard/")) for url in sizes)  # nothing from elsewhere


def test_a_table_sorts_and_filters(site: Any, opened: Any) -> None:
    page = opened(site, place="devices")
    names = page.locator("tbody tr td:first-child")
    expect(names.nth(1)).to_have_text("Room 2")  # numbers in names count as numbers
    page.locator("th button", has_text="Device").click()
    expect(page.locator("th[aria-sort=descending]")).to_have_count(1)
    expect(names.first).to_have_text("Room 24")
    page.get_by_placeholder("Filter").fill("Clinic North")
    expect(page.locator("tbody tr", has_not_text="Clinic North")).to_have_count(0)
    assert set(page.locator("tbody tr td:nth-child(2)").all_inner_texts()) == {"Clinic North"}
    page.get_by_placeholder("Filter").fill("nowhere")
    page.get_by_text("Nothing matches.").wait_for()


def test_every_chart_has_words_a_table_and_a_file(site: Any, opened: Any) -> None:
    page = opened(site, place=places(site.example)["run-done"])
    figures = page.locator("figure")
    expect(figures).to_have_count(5)
    for number in range(5):
        figure = figures.nth(number)
        assert len(figure.locator("[role=img]").get_attribute("aria-label")) > 10
        with page.expect_download() as waited:
            figure.get_by_role("button", name="CSV").click()
        rows = waited.value.path().read_text("utf-8").splitlines()
        assert len(rows) == 13
        figure.locator("summary").click()
        expect(figure.locator("tbody tr")).to_have_count(12)


def test_times_are_in_the_viewers_zone(site: Any, opened: Any) -> None:
    from zoneinfo import ZoneInfo

    page = opened(site, place=places(site.example)["run-done"])
    with site.host.services.database.read() as session:
        from handfed.server.runs.models import Run

        began = session.get(Run, site.example.done).started_at.astimezone(ZoneInfo("Europe/Berlin"))
    expect(page.locator(".progress-of-run")).to_contain_text(f"{began:%H:%M}")


def test_keys_alone_are_enough(site: Any, opened: Any) -> None:
    page = opened(site, None)
    expect(page.locator("input[type=password]")).to_be_focused()
    page.keyboard.type(site.example.tokens["admin"])
    page.keyboard.press("Enter")
    page.locator("nav").wait_for()
    page.reload()
    page.locator("nav").wait_for()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    page.get_by_role("link", name="Devices", exact=True).press("Enter")
    page.locator("main h1", has_text="Devices").wait_for()
    expect(page.locator("#main")).to_be_focused()


def test_on_a_phone_the_menu_opens_and_closes(site: Any, opened: Any) -> None:
    page = opened(site, size=PHONE)
    menu = page.get_by_role("button", name="Menu")
    assert menu.get_attribute("aria-expanded") == "false"
    assert not page.locator("nav").is_visible()
    menu.click()
    page.get_by_role("link", name="Releases").click()
    page.locator("main h1", has_text="Releases").wait_for()
    expect(menu).to_have_attribute("aria-expanded", "false")


def test_a_theme_is_kept(site: Any, opened: Any) -> None:
    page = opened(site)
    ground = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(ground)
    page.locator("select").nth(1).select_option("dark")
    assert page.evaluate(ground) != light
    page.reload()
    page.locator("main h1").wait_for()
    assert page.evaluate(ground) != light


def test_what_leaves_a_device_has_its_size(site: Any, opened: Any) -> None:
    page = opened(site, place="privacy")
    row = page.locator("tbody tr", has_text="Training").filter(has_text="arrays")
    expect(row).to_contain_text("292 kB")


def test_fairness_is_told_by_writers_and_by_devices(site: Any, opened: Any) -> None:
    page = opened(site, place="fairness")
    says = page.locator(".says").all_inner_texts()
    assert any("worst tenth" in each for each in says)
    expect(page.locator("figure")).to_have_count(3)


def test_learning_says_what_waits_what_drifts_and_what_was_forgotten(site: Any, opened: Any) -> None:
    page = opened(site, place="learning")
    told = site.host.services.overview.read(ADA).waiting
    tiles = page.locator(".tile-value")
    expect(tiles.nth(0)).to_have_text(f"{told.feedback:,}")
    expect(tiles.nth(1)).to_have_text(f"{told.fresh:,}")
    conditions = page.get_by_role("table", name="Conditions, as they stand now").locator("tbody tr")
    expect(conditions).to_have_count(7)
    expect(conditions.filter(has_text="Drift")).to_contain_text("slant differs by")
    expect(page.locator("figure", has_text="New writers against known ones")).to_contain_text("Most telling: Slant")
    expect(page.locator("figure", has_text="Corrections by readings")).to_contain_text("95 % interval")
    forgotten = page.get_by_role("table", name="What was forgotten, by class").locator("tbody tr")
    expect(forgotten).to_have_count(10)
    expect(forgotten.first).to_contain_text("-")  # the most lost comes first


def test_of_one_school_learning_shows_its_devices_and_nothing_that_takes_the_federation(site: Any, opened: Any) -> None:
    page = opened(site, "school", place="learning")
    shown = page.get_by_role("table", name="What waits on devices").locator("tbody tr td:first-child")
    own = {each.name for each in site.host.services.devices.list(Principal("Di", "viewer", organisation=1)).items}
    expect(shown.first).to_be_visible()
    assert 0 < len(set(shown.all_inner_texts())) == len(set(shown.all_inner_texts()) & own)
    expect(page.get_by_role("heading", name="When a run is started")).to_have_count(0)
    expect(page.locator(".notice.bad")).to_have_count(0)


def test_confusions_are_a_matrix_a_sentence_and_a_file(site: Any, opened: Any) -> None:
    page = opened(site, place="releases/4")
    figure = page.locator("figure", has_text="Confusions")
    metrics = site.host.services.releases.get(4).manifest["metrics"]
    expect(figure.locator(".matrix tbody tr")).to_have_count(10)
    expect(figure.locator(".says")).to_contain_text("Most often")
    with page.expect_download() as waited:
        figure.get_by_role("button", name="CSV").click()
    rows = waited.value.path().read_text("utf-8").splitlines()
    assert rows[0] == "Written,Read as,Samples,Share of the class"
    assert sum(int(row.split(",")[2]) for row in rows[1:]) == sum(count for *_, count in metrics["confusions"])
    expect(page.locator("figure", has_text="Devices by time to read a picture")).to_contain_text("median")
