"""Trying a release in the browser: what is read there, and that nothing of it is sent."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import expect

from handfed.clients.edge import Recogniser, read_picture
from handfed.shared.files import sha256_of
from handfed.simulations.datasets.mnist5k import MNIST5K, images_as_they_are
from handfed.simulations.pages.browser import DESKTOP, PHONE, page_of
from handfed.simulations.pages.reading import compare, enlarged
from handfed.simulations.pages.writing import SEVEN, SHEET, write
from tests.browser.accessibility import serious

if TYPE_CHECKING:
    from playwright.sync_api import Page

RELEASE = Path(__file__).resolve().parents[1] / "compat" / "manifest-2"
STROKES = Path(__file__).resolve().parents[3] / "shared" / "data" / "characters_unipen_strokes.npz"


def _glyph(page: Page) -> str:
    return page.locator(".glyph.large").inner_text()


def _strokes_of_digits(count: int) -> list[tuple[str, list[list[tuple[float, float]]]]]:
    """Digits as people wrote them, each with what it says, laid on the sheet."""
    with np.load(STROKES) as strokes, np.load(STROKES.with_name("characters_unipen.npz")) as characters:
        labels, points, of_stroke, offset = characters["y"], strokes["points"], strokes["stroke"], strokes["offset"]
    rows = np.random.default_rng(0).permutation(np.flatnonzero(labels < 10))[:count]
    found = []
    for row in rows:
        part = slice(int(offset[row]), int(offset[row + 1]))
        way = points[part].astype(np.float64) * (1, -1)  # y grows upwards there
        low, high = way.min(axis=0), way.max(axis=0)
        placed = 0.5 + 0.6 * (way - (low + high) / 2) / max(float((high - low).max()), 1.0)
        each = [placed[of_stroke[part] == number] for number in np.unique(of_stroke[part])]
        found.append(
            (str(labels[row]), [[(float(x), float(y)) for x, y in one[:: max(len(one) // 15, 1)]] for one in each])
        )
    return found


def test_digits_written_by_hand_are_read_as_they_are_written_and_nothing_is_sent(site: Any, opened: Any) -> None:
    if not STROKES.exists():
        pytest.skip("the strokes of real hands are not here: ../shared/data/characters_unipen_strokes.npz")
    page = opened(site, "viewer", place="try")
    write(page, SEVEN)  # and all that reading needs has been fetched
    asked: list[Any] = []
    page.on("request", lambda request: asked.append(request))  # noqa: PLW0108 - Playwright marks what it is given
    right = 0
    for text, strokes in _strokes_of_digits(20):
        write(page, strokes)
        right += _glyph(page) == text
    page.get_by_role("button", name="That\u2019s wrong").click()
    page.locator("dialog select").select_option("9" if _glyph(page) != "9" else "8")
    page.get_by_role("button", name="Close").click()
    assert right >= 14
    assert not [request.url for request in asked]


def test_all_that_is_ever_asked_are_files_by_their_names(site: Any, opened: Any) -> None:
    page = opened(site, "viewer", place="runs")
    asked: list[Any] = []
    page.on("request", lambda request: asked.append(request))  # noqa: PLW0108 - Playwright marks what it is given
    page.get_by_role("link", name="Try it").click()
    write(page, SEVEN)
    files = [request.url.removeprefix(site.host.url.removesuffix("dashboard/")) for request in asked]
    assert {request.method for request in asked} == {"GET"}
    assert not [request.post_data for request in asked if request.post_data]
    assert not [url for url in files if "?" in url and not url.endswith("?limit=500")]
    assert "api/v1/releases/3/files/browser.tflite" in files
    assert "dashboard/vendor/litert_wasm_compat_internal.wasm" in files


def test_no_other_page_fetches_the_runtime(site: Any, opened: Any) -> None:
    page = opened(site, "viewer")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    for place in ("overview", "releases", "releases/3", "privacy"):
        page.goto(site.place(place))
        page.locator("main header.title").wait_for()
    assert not [url for url in asked if "litert" in url or "reading/" in url]


def test_pixels_outputs_and_labels_are_those_of_python(site: Any, chromium: Any) -> None:
    images = images_as_they_are()[::5]
    model = (RELEASE / "model.tflite").read_bytes()
    with page_of(chromium) as page:
        page.goto(site.host.url)
        for pictures in (list(images), enlarged(images, seed=3)):
            found = compare(page, model, pictures)
            assert (found.pictures, found.other_pixels) == (1000, 0)
            assert found.other_logits <= 10  # another build of LiteRT may round a sum otherwise
            assert found.unexplained == 0


@pytest.mark.parametrize("kind", ["PNG", "a transparent PNG"])
def test_a_picture_that_is_chosen_is_read_as_the_recogniser_reads_it(
    site: Any, opened: Any, tmp_path: Path, kind: str
) -> None:
    page, recogniser = opened(site, "viewer", place="try"), Recogniser.open(RELEASE)
    for row in (1700, 3100):
        ink = Image.fromarray(MNIST5K.load().images[row]).resize((150, 170))
        picture = (
            Image.merge("LA", (Image.new("L", ink.size), ink)) if kind != "PNG" else Image.eval(ink, lambda x: 255 - x)
        )
        file = tmp_path / f"{row}.png"
        picture.save(file)
        reading = recogniser.read(read_picture(file, where=""))
        page.locator("input[type=file]").set_input_files(file)
        page.locator(".try[aria-busy=false] .ranks li").first.wait_for()
        page.locator(".glyph.large", has_text=reading.text).wait_for()
        shown = page.locator(".ranks li").all_inner_texts()
        texts = [each.split()[0] for each in shown]
        assert texts == [reading.text, *(text for text, _ in reading.alternatives)]
        shares = [float(each.split()[1].rstrip("%")) for each in shown]
        wanted = [reading.confidence, *(share for _, share in reading.alternatives)]
        np.testing.assert_allclose(shares, [100 * share for share in wanted], atol=0.051)


def test_what_is_no_picture_or_shows_no_ink_is_told(site: Any, opened: Any) -> None:
    page = opened(site, "viewer", place="try")
    write(page, SEVEN)
    chosen, png = page.locator("input[type=file]"), {"name": "a.png", "mimeType": "image/png"}
    chosen.set_input_files({**png, "buffer": b"no picture"})
    page.get_by_text("This is no picture that the browser can open.").wait_for()
    blank = io.BytesIO()
    Image.new("L", (40, 40), 200).save(blank, "PNG")
    chosen.set_input_files({**png, "buffer": blank.getvalue()})
    page.get_by_text("There is no ink to be seen").wait_for()
    expect(page.locator(".glyph.large")).to_have_count(0)


def test_a_stroke_is_undone_and_the_sheet_is_cleared(site: Any, opened: Any) -> None:
    page = opened(site, "viewer", place="try")
    write(page, SEVEN)
    before = page.locator(SHEET).evaluate("sheet => sheet.toDataURL()")
    page.get_by_role("button", name="Undo").click()
    page.locator(".try[aria-busy=false] .ranks").wait_for()
    assert page.locator(SHEET).evaluate("sheet => sheet.toDataURL()") != before
    page.get_by_role("button", name="Clear").click()
    page.get_by_text("Nothing is written yet.").wait_for()
    expect(page.locator(".ranks")).to_have_count(0)


def test_who_does_not_see_the_sheet_is_told_what_is_read(site: Any, opened: Any) -> None:
    page = opened(site, "viewer", place="try")
    write(page, SEVEN)
    page.locator("[aria-live=polite]", has_text="Read as 7, probability").wait_for(state="attached")
    assert page.locator(SHEET).get_attribute("role") == "img"
    assert "choose a picture" in page.locator(SHEET).get_attribute("aria-label")
    page.keyboard.press("Tab")
    page.locator("input[type=file]").focus()  # by keys alone, a picture can be chosen
    assert page.evaluate("document.activeElement.type") == "file"


def test_a_model_that_is_not_the_one_of_its_manifest_is_not_run(site: Any, opened: Any) -> None:
    page = opened(site, "viewer")
    other = (RELEASE / "model.tflite").read_bytes()
    assert sha256_of(other) != site.host.services.releases.get(3).manifest["browser"]["sha256"]
    page.route("**/browser.tflite", lambda route: route.fulfill(body=other))
    page.goto(site.place("try"))
    page.get_by_role("alert").get_by_text("not the one that its manifest names").wait_for()


def test_a_release_without_a_file_for_browsers_says_so(site: Any, opened: Any) -> None:
    page = opened(site, "viewer", place="try")
    assert page.locator("main select").input_value() == "3"  # that devices use, and not the newest
    page.locator("main select").select_option("4")
    page.get_by_text("It has no file for browsers").wait_for()
    page.locator("main select").select_option("3")
    write(page, SEVEN)
    assert _glyph(page) == "7"


def test_axe_finds_nothing_serious_in_a_reading_and_its_correction(site: Any, opened: Any) -> None:
    for theme, size in (("light", DESKTOP), ("dark", PHONE)):
        page = opened(site, "viewer", place="try", theme=theme, size=size)
        write(page, SEVEN)
        assert page.evaluate("document.documentElement.scrollWidth") <= size[0]
        assert not serious(page)
        page.get_by_role("button", name="That\u2019s wrong").click()
        page.locator("dialog[open]").wait_for()
        expect(page.locator("dialog")).to_contain_text("would store")
        assert not serious(page)
