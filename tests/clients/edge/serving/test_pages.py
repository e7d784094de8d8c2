"""Pages of other parts, served to the browser of the same device."""

from __future__ import annotations

import http.client
import logging
import threading
from collections.abc import Iterator
from contextlib import closing
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from handfed.clients.edge.serving import pages
from handfed.clients.edge.serving.lanes import Lanes
from handfed.clients.edge.serving.service import Service
from handfed.clients.edge.serving.supply import Source, Supply
from handfed.shared.web_files import GROUP, WebFile, WebFiles

TOKEN = "what-the-token-file-holds"  # noqa: S105 - of a service that lives as long as its test
POLICY = {"Content-Security-Policy": "default-src 'self'"}


def files() -> WebFiles:
    """A page of another part, as an entry point names it."""
    return {
        "": lambda: WebFile(b"<title>x</title>", "text/html", '"1"', POLICY),
        "a/b.js": lambda: WebFile(b"export {}", "text/javascript", '"2"'),
    }


def no_files() -> WebFiles:
    return {}


ENTRIES = [
    EntryPoint("one", f"{__name__}:files", GROUP),
    EntryPoint("none", f"{__name__}:no_files", GROUP),
    EntryPoint("gone", "no_such_module:files", GROUP),
]


@pytest.fixture(scope="module")
def service(release: Path) -> Iterator[Service]:
    lanes = Lanes([Supply(Source.of_releases(str(release), Path("/nowhere")))], waiting=2)
    with Service(lanes, port=0, token=TOKEN, pages=pages.routes(ENTRIES)) as made:
        work = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.02})
        work.start()
        try:
            yield made
        finally:
            made.stop(5)
            work.join()


def get(service: Service, path: str, method: str = "GET", **headers: str) -> tuple[int, http.client.HTTPMessage, bytes]:
    with closing(http.client.HTTPConnection("127.0.0.1", service.port, timeout=30)) as connection:
        connection.request(method, path, headers={name.replace("_", "-"): value for name, value in headers.items()})
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read()


def test_a_page_is_at_its_name_with_its_own_policy_and_needs_no_token(service: Service) -> None:
    status, headers, content = get(service, "/one/")
    assert (status, content) == (200, b"<title>x</title>")
    assert headers.get_all("Content-Security-Policy") == [POLICY["Content-Security-Policy"]]
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert get(service, "/one/a/b.js")[1]["Content-Type"] == "text/javascript"
    assert get(service, "/release")[0] == 401


def test_a_page_is_found_without_its_last_stroke(service: Service) -> None:
    status, headers, _ = get(service, "/one")
    assert (status, headers["Location"]) == (308, "/one/")


def test_a_file_is_sent_once_until_it_changes(service: Service) -> None:
    assert get(service, "/one/", If_None_Match='"1"')[::2] == (304, b"")
    assert get(service, "/one/", If_None_Match='"2"')[0] == 200


@pytest.mark.parametrize("path", ["/one/a", "/one/../health", "/one/a/../", "/one/%2e%2e/", "/none/", "/gone/"])
def test_what_is_no_file_of_a_page_is_not_found_and_files_are_not_listed(service: Service, path: str) -> None:
    status, _, content = get(service, path, Authorization=f"Bearer {TOKEN}")
    assert status == 404
    assert b"/release" in content
    assert b"/one/" not in content


def test_a_page_is_only_for_the_browser_of_this_device(service: Service) -> None:
    assert get(service, "/one/", Host="rebound.example")[0] == 403
    assert get(service, "/one/", Sec_Fetch_Site="cross-site")[0] == 403
    assert get(service, "/one/", method="POST", Content_Length="0")[0] == 405


def test_a_page_that_cannot_be_had_is_told_of_and_the_others_are_served(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        assert set(pages.routes(ENTRIES)) == {"/one", "/one/", "/one/a/b.js"}
    assert "/gone/" in caplog.text
