"""The pages as a server includes them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from handfed.dashboards.files import STATIC
from handfed.dashboards.vendoring import COMPLETE, PINS, _hash_of
from handfed.dashboards.web import COMMAND, create_router

FIRST_VIEW_BYTES = 200_000


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Pages whose libraries are there."""
    (tmp_path / "vendor").mkdir()
    (tmp_path / "vendor" / COMPLETE).write_text(_hash_of(PINS))
    (tmp_path / "index.html").write_text("<!doctype html><title>x</title>")
    (tmp_path / "main.js").write_text("export {}\n" * 100)
    (tmp_path / ".secret").write_text("no")
    return tmp_path


@pytest.fixture
def client(folder: Path) -> TestClient:
    """What asks for them."""
    app = FastAPI()
    app.include_router(create_router(static=folder))
    return TestClient(app, follow_redirects=False)


def test_the_home_of_the_server_leads_to_the_pages(client: TestClient) -> None:
    for path in ("/", "/dashboard"):
        assert client.get(path).headers["location"] == "/dashboard/"
    assert "<!doctype html>" in client.get("/dashboard/").text


def test_scripts_and_styles_come_from_here_alone_and_none_is_in_a_page(client: TestClient) -> None:
    policy = client.get("/dashboard/").headers["content-security-policy"]
    rules = dict(rule.split(maxsplit=1) for rule in policy.split("; "))
    assert rules["default-src"] == "'none'"
    assert rules["script-src"] == rules["style-src"] == rules["connect-src"] == "'self'"
    assert rules["frame-ancestors"] == rules["base-uri"] == "'none'"
    assert "unsafe" not in policy


def test_one_worker_alone_may_compile_wasm_and_may_do_nothing_else(client: TestClient, folder: Path) -> None:
    (folder / "reading").mkdir()
    for name in ("worker.js", "reader.js"):
        (folder / "reading" / name).write_text("export {}")
    policies = {
        name: client.get(f"/dashboard/{name}").headers["content-security-policy"]
        for name in ("", "main.js", "reading/reader.js", "reading/worker.js")
    }
    assert [name for name, policy in policies.items() if "wasm" in policy] == ["reading/worker.js"]
    rules = dict(rule.split(maxsplit=1) for rule in policies["reading/worker.js"].split("; "))
    assert rules == {
        "default-src": "'none'",
        "script-src": "'self' 'wasm-unsafe-eval'",
        "connect-src": "'self'",
    }


def test_wasm_says_that_it_is_and_is_sent_compressed(client: TestClient, folder: Path) -> None:
    (folder / "vendor" / "x.wasm").write_bytes(b"\0asm" + bytes(1000))
    answer = client.get("/dashboard/vendor/x.wasm")
    assert (answer.headers["content-type"], answer.headers["content-encoding"]) == ("application/wasm", "gzip")
    assert answer.content == b"\0asm" + bytes(1000)


def test_the_page_itself_has_no_script_style_or_handler_in_it() -> None:
    for name in ("index.html", "device.html"):
        text = (STATIC / name).read_text()
        assert not re.search(r"<style|\sstyle=|\son\w+=|<script(?![^>]*\ssrc=)", text)
        assert not re.search(r"https?://", text)


def test_a_file_is_sent_once_and_then_again_when_it_changed(client: TestClient, folder: Path) -> None:
    first = client.get("/dashboard/main.js")
    assert first.headers["content-type"].startswith("text/javascript")
    assert first.headers["content-encoding"] == "gzip"
    again = client.get("/dashboard/main.js", headers={"If-None-Match": first.headers["etag"]})
    assert again.status_code == 304
    assert again.headers["content-security-policy"]
    (folder / "main.js").write_text("export const changed = 1")
    assert client.get("/dashboard/main.js", headers={"If-None-Match": first.headers["etag"]}).status_code == 200


@pytest.mark.parametrize(
    "path", ["nothing.js", "../pyproject.toml", "..%2f..%2fweb.py", "%2e%2e/web.py", ".secret", "vendor", "/etc/passwd"]
)
def test_what_is_no_file_of_the_pages_is_not_found(client: TestClient, path: str) -> None:
    assert client.get(f"/dashboard/{path}").status_code == 404


def test_without_its_libraries_a_page_says_what_makes_them(folder: Path, client: TestClient) -> None:
    (folder / "vendor" / COMPLETE).write_text("of other pins")
    answer = client.get("/dashboard/")
    assert answer.status_code == 503
    assert COMMAND in answer.text


def test_every_import_is_of_a_file_that_there_is() -> None:
    for path in STATIC.rglob("*.js"):
        if "vendor" in path.parts:
            continue
        for name in re.findall(r"""(?:from|import\() ?["'](\.[^"']+)["']""", path.read_text("utf-8")):
            target = (path.parent / name).resolve()
            assert target.exists() or "vendor" in target.parts, f"{path}: {name}"


def test_no_file_is_long_and_none_names_another_host() -> None:
    for path in (*STATIC.rglob("*.js"), *STATIC.rglob("*.css"), *STATIC.rglob("*.html")):
        if "vendor" not in path.parts:
            text = path.read_text("utf-8")
            assert text.count("\n") < 200, path
            assert not re.search(r"https?://(?!www\.w3\.org)", text), path
