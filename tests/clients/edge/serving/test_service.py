"""The HTTP service, over real connections."""

from __future__ import annotations

import http.client
import io
import json
import re
import signal
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image

from handfed.clients.edge import Recogniser, read_picture
from handfed.clients.edge.answers import as_json
from handfed.clients.edge.serving.connection import Limits, Reply, Route
from handfed.clients.edge.serving.lanes import Lanes
from handfed.clients.edge.serving.problems import KINDS
from handfed.clients.edge.serving.service import Service
from handfed.clients.edge.serving.supply import Source, Supply
from handfed.shared.browser_twin import browser_twin
from handfed.simulations.benchmarks.boxes import Style, compose
from handfed.simulations.datasets.mnist5k import MNIST5K

if TYPE_CHECKING:
    from tests.clients.edge.serving.conftest import Until

PNG = {"Content-Type": "image/png"}
ANSWERS = {status for status, _ in KINDS.values()} | {200}


@contextmanager
def serving(
    lanes: Lanes, limits: Limits | None = None, token: str | None = None, *, port: int = 0
) -> Iterator[Service]:
    with Service(lanes, port=port, limits=limits, token=token) as service:
        work = threading.Thread(target=service.serve_forever, kwargs={"poll_interval": 0.02})
        work.start()
        try:
            yield service
        finally:
            service.stop(5)
            work.join()


def lanes_of(release: Path, *, count: int = 2, waiting: int = 8) -> Lanes:
    source = Source.of_releases(str(release), Path("/nowhere"))
    return Lanes([Supply(source) for _ in range(count)], waiting=waiting)


@pytest.fixture(scope="module")
def service(release: Path) -> Iterator[Service]:
    with serving(lanes_of(release)) as made:
        yield made


def ask(
    port: int, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None
) -> tuple[int, dict[str, str], Any]:
    """Status, headers and JSON of an answer."""
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=30)) as connection:
        connection.request(method, path, body, headers or {})
        answer = connection.getresponse()
        content = answer.read()
        said = {name.lower(): value for name, value in answer.getheaders()}
    assert said["connection"] == "close"
    if answer.status != 200 and method != "HEAD":
        problem = json.loads(content)
        assert said["content-type"] == "application/problem+json"
        assert set(problem) == {"type", "title", "status", "detail"}
        assert KINDS[problem["type"].removeprefix("/problems/")] == (problem["status"], problem["title"])
        assert problem["status"] == answer.status
    return answer.status, said, json.loads(content or b"null")


def send(port: int, content: bytes, *, close: bool = True) -> tuple[int, bytes]:
    """Sends bytes as they are; status and all that comes back."""
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        connection.sendall(content)
        if close:
            connection.shutdown(socket.SHUT_WR)
        received = b""
        while part := connection.recv(65_536):
            received += part
    return (int(received.split()[1]) if received else 0), received


def test_a_digit_is_read_as_the_recogniser_itself_reads_it(
    service: Service, release: Path, pictures: dict[str, bytes]
) -> None:
    recogniser = Recogniser.open(release)
    for text, content in pictures.items():
        status, headers, found = ask(service.port, "POST", "/recognise?alternatives=2", content, PNG)
        alone = as_json(recogniser.read(read_picture(content, where=""), alternatives=2))
        assert (status, found) == (200, {"release": recogniser.release, **alone})
        assert (found["text"], len(found["alternatives"])) == (text, 2)
        assert headers["content-type"] == "application/json"
        assert headers["cache-control"] == "no-store"


def test_the_characters_of_a_page_come_with_their_boxes(service: Service) -> None:
    page = compose(MNIST5K.load(), 2, 3, Style(), seed=3)
    file = io.BytesIO()
    Image.fromarray(page.picture).save(file, "PNG")
    status, _, found = ask(service.port, "POST", "/recognise?boxes=1", file.getvalue(), PNG)
    assert status == 200
    assert [len(line) for line in found["text"].split("\n")] == [3, 3]
    assert [len(each["box"]) for each in found["boxes"]] == [4] * 6


def test_it_says_what_reads_and_that_it_is_there(service: Service, release: Path) -> None:
    status, _, found = ask(service.port, "GET", "/release")
    manifest = json.loads((release / "manifest.json").read_text())
    assert status == 200
    assert {name: found[name] for name in ("release", "task", "recogniser", "alphabet", "kind")} == {
        name: manifest[name] for name in ("release", "task", "recogniser", "alphabet", "kind")
    }
    status, _, health = ask(service.port, "GET", "/health")
    assert (status, health["status"]) == (200, "ok")
    assert health["answers"]["200"] > 0
    assert ask(service.port, "HEAD", "/health")[0] == 200


def test_a_browser_gets_the_model_that_reads_now_with_unsigned_ends(service: Service, release: Path) -> None:
    with closing(http.client.HTTPConnection("127.0.0.1", service.port, timeout=30)) as connection:
        connection.request("GET", "/release/browser.tflite")
        answer = connection.getresponse()
        content = answer.read()
    assert answer.status == 200
    assert content == browser_twin((release / "model.tflite").read_bytes())
    described = ask(service.port, "GET", "/release")[2]
    assert answer.headers["Handfed-Release"] == str(described["release"])
    manifest = json.loads((release / "manifest.json").read_text())
    assert {name: described[name] for name in ("temperature", "inputs", "normalisation")} == {
        name: manifest[name] for name in ("temperature", "inputs", "normalisation")
    }


@pytest.mark.parametrize(
    ("method", "path", "body", "headers", "status"),
    [
        ("POST", "/recognise", b"no picture", PNG, 422),
        ("POST", "/recognise", b"", PNG, 422),
        ("POST", "/recognise", b"x", {"Content-Type": "text/plain"}, 415),
        ("POST", "/recognise", b"x", {"Content-Type": "image/png", "Content-Encoding": "gzip"}, 415),
        ("POST", "/recognise", b"x", {}, 415),
        ("POST", "/recognise?boxes=perhaps", b"x", PNG, 400),
        ("POST", "/recognise?alternatives=-1", b"x", PNG, 400),
        ("POST", "/recognise?alternatives=101", b"x", PNG, 400),
        ("POST", "/recognise?alternatives=1&alternatives=2", b"x", PNG, 400),
        ("POST", "/recognise?lexicon=words", b"x", PNG, 400),
        ("POST", "/recognise?boxes", b"x", PNG, 400),
        ("POST", "/recognise", b"x", {**PNG, "Content-Length": "9e9"}, 400),
        ("POST", "/recognise", b"x", {**PNG, "Content-Length": "-1"}, 400),
        ("POST", "/recognise", b"0\r\n\r\n", {**PNG, "Transfer-Encoding": "chunked"}, 411),
        ("GET", "/recognise", None, {}, 405),
        ("DELETE", "/health", None, {}, 405),
        ("BREW", "/health", None, {}, 405),
        ("GET", "/", None, {}, 404),
        ("GET", "/../../etc/passwd", None, {}, 404),
        ("GET", "http://elsewhere.example/health", None, {}, 403),
        ("GET", "/health/", None, {}, 404),
        ("GET", "/" + "x" * 9000, None, {}, 414),
        ("GET", "/health", None, {f"X-{each}": "y" for each in range(200)}, 431),
        ("GET", "/health", None, {f"X-{each}": "y" * 2000 for each in range(50)}, 431),
    ],
)
def test_what_cannot_be_answered_is_refused_with_a_problem(
    service: Service, method: str, path: str, body: bytes | None, headers: dict[str, str], status: int
) -> None:
    assert ask(service.port, method, path, body, headers)[0] == status


def test_a_refused_method_is_told_which_one_to_use(service: Service) -> None:
    assert ask(service.port, "GET", "/recognise")[1]["allow"] == "POST"


@pytest.mark.parametrize(
    ("name", "value", "status"),
    [
        ("Host", "127.0.0.1:{port}", 200),
        ("Host", "LOCALHOST:{port}", 200),
        ("Host", "[::1]:{port}", 200),
        ("Host", "rebound.example:{port}", 403),
        ("Host", "localhost:1", 403),
        ("Host", "localhost", 403),
        ("Host", "127.0.0.1:{port}@rebound.example", 403),
        ("Host", "", 403),
        ("Origin", "http://localhost:{port}", 200),
        ("Origin", "http://127.0.0.1:{port}", 200),
        ("Origin", "http://localhost:1", 403),
        ("Origin", "https://localhost:{port}", 403),
        ("Origin", "https://school.example", 403),
        ("Origin", "null", 403),
        ("Sec-Fetch-Site", "same-origin", 200),
        ("Sec-Fetch-Site", "none", 200),
        ("Sec-Fetch-Site", "same-site", 403),
        ("Sec-Fetch-Site", "cross-site", 403),
    ],
)
def test_only_programs_and_pages_of_its_own_may_ask(service: Service, name: str, value: str, status: int) -> None:
    for path in ("/health", "/release"):
        assert ask(service.port, "GET", path, headers={name: value.format(port=service.port)})[0] == status


def test_a_request_without_a_host_or_with_two_is_refused(service: Service) -> None:
    host = f"Host: 127.0.0.1:{service.port}\r\n"
    assert send(service.port, b"GET /health HTTP/1.1\r\n\r\n")[0] == 403
    assert send(service.port, f"GET /health HTTP/1.1\r\n{host}Host: rebound.example\r\n\r\n".encode())[0] == 403
    assert send(service.port, f"GET /health HTTP/1.1\r\n{host}\r\n".encode())[0] == 200


@pytest.mark.parametrize(
    "line",
    ["GET /health", "GET", "GET /health HTTP/2.0", "GET /health HTTP/x", "\x16\x03\x01\x02", "", "  ", "a b c d"],
)
def test_what_speaks_another_protocol_is_refused(service: Service, line: str) -> None:
    content = f"{line}\r\nHost: localhost:{service.port}\r\n\r\n".encode()
    assert send(service.port, content)[0] == 400


def test_it_listens_on_the_loopback_alone(service: Service) -> None:
    assert service.socket.getsockname()[0] == "127.0.0.1"


def test_a_connection_bears_one_request(service: Service) -> None:
    one = f"GET /health HTTP/1.1\r\nHost: localhost:{service.port}\r\nConnection: keep-alive\r\n\r\n".encode()
    assert send(service.port, one * 3, close=False)[1].count(b"HTTP/1.1 ") == 1


@settings(max_examples=60)
@given(content=st.binary(max_size=2000), kind=st.sampled_from(["image/png", "image/*", "IMAGE/JPEG; q=1"]))
@example(b"\x89PNG\r\n\x1a\n", "image/png")
@example(b"P5\n2 2\n255\nabcd", "image/png")
@example(b"%!PS-Adobe-3.0 EPSF-3.0\n", "image/png")
def test_no_body_makes_the_service_fail(service: Service, content: bytes, kind: str) -> None:
    assert ask(service.port, "POST", "/recognise", content, {"Content-Type": kind})[0] in {200, 422}


@settings(max_examples=60)
@given(data=st.data())
def test_no_damage_to_a_picture_makes_the_service_fail(
    service: Service, pictures: dict[str, bytes], data: st.DataObject
) -> None:
    content = bytearray(data.draw(st.sampled_from(sorted(pictures.values()))))
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    boxes = data.draw(st.sampled_from("01"))
    status, _, _ = ask(service.port, "POST", f"/recognise?boxes={boxes}", bytes(content), PNG)
    assert status in {200, 422}


@settings(max_examples=60)
@given(content=st.binary(max_size=500), head=st.sampled_from([b"", b"POST /recognise HTTP/1.1\r\n", b"GET /health "]))
def test_no_bytes_make_the_service_fail(service: Service, content: bytes, head: bytes) -> None:
    status, _ = send(service.port, head + content)
    assert status in ANSWERS - {500, 503} | {0}


def test_a_large_body_is_refused_before_it_is_sent(service: Service) -> None:
    head = (
        f"POST /recognise HTTP/1.1\r\nHost: localhost:{service.port}\r\nContent-Type: image/png\r\n"
        f"Content-Length: {service.limits.body_bytes + 1}\r\nExpect: 100-continue\r\n\r\n"
    ).encode()
    status, received = send(service.port, head, close=False)
    assert status == 413
    assert b"100" not in received.partition(b"\r\n")[0]


def test_who_sends_a_large_body_nonetheless_hears_why_it_is_refused(service: Service) -> None:
    assert ask(service.port, "POST", "/recognise", bytes(service.limits.body_bytes + 1), PNG)[0] == 413


def test_who_waits_to_be_asked_for_the_body_is_asked(service: Service, pictures: dict[str, bytes]) -> None:
    head = (
        f"POST /recognise HTTP/1.1\r\nHost: localhost:{service.port}\r\nContent-Type: image/png\r\n"
        f"Content-Length: {len(pictures['7'])}\r\nExpect: 100-continue\r\n\r\n"
    ).encode()
    with socket.create_connection(("127.0.0.1", service.port), timeout=30) as connection:
        connection.sendall(head)
        assert connection.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(pictures["7"])
        answer = b""
        while part := connection.recv(65_536):
            answer += part
    assert answer.startswith(b"HTTP/1.1 200 ")


def test_a_client_that_trickles_is_cut_off_however_steadily(release: Path, until: Until) -> None:
    limits = Limits(connections=2, head_s=0.3, body_s=0.4, linger_s=0.2)
    with serving(lanes_of(release, count=1), limits) as service, ExitStack() as stack:
        head = f"POST /recognise HTTP/1.1\r\nHost: localhost:{service.port}\r\n"
        body = f"{head}Content-Type: image/png\r\nContent-Length: 100000\r\n\r\n"
        for start in ("", head, body):
            connection = stack.enter_context(socket.create_connection(("127.0.0.1", service.port), timeout=30))
            connection.sendall(start.encode())
            connection.setblocking(False)  # noqa: FBT003 - its only argument
            received: list[bytes] = []

            def trickled(connection: socket.socket = connection, received: list[bytes] = received) -> bool:
                try:
                    received.append(connection.recv(65_536))
                except BlockingIOError:
                    connection.send(b"x")
                    return False
                return True

            until(trickled, "the client is cut off")
            assert received[0].startswith(b"HTTP/1.1 408 ")
        assert ask(service.port, "GET", "/health")[0] == 200


def test_more_than_there_is_room_for_is_refused_and_the_rest_answered(
    release: Path, pictures: dict[str, bytes], until: Until
) -> None:
    with serving(lanes_of(release, count=1, waiting=1)) as service, ExitStack() as stack:
        head = (
            f"POST /recognise HTTP/1.1\r\nHost: localhost:{service.port}\r\nContent-Type: image/png\r\n"
            f"Content-Length: {len(pictures['3'])}\r\nExpect: 100-continue\r\n\r\n"
        ).encode()
        waiting = []
        for _ in range(2):
            connection = stack.enter_context(socket.create_connection(("127.0.0.1", service.port), timeout=30))
            connection.sendall(head)
            assert connection.recv(100).startswith(b"HTTP/1.1 100 ")
            waiting.append(connection)
        status, headers, _ = ask(service.port, "POST", "/recognise", pictures["3"], PNG)
        assert (status, headers["retry-after"]) == (503, "1")
        assert ask(service.port, "GET", "/health")[0] == 200
        for connection in waiting:
            connection.sendall(pictures["3"])
            assert connection.recv(100).startswith(b"HTTP/1.1 200 ")
        until(lambda: ask(service.port, "GET", "/release")[0] == 200, "there is room again")


def test_many_at_once_are_each_answered_with_their_own(release: Path, pictures: dict[str, bytes]) -> None:
    with serving(lanes_of(release, count=2, waiting=64)) as service:
        found: list[tuple[str, str]] = []

        def client(text: str) -> None:
            for _ in range(5):
                status, _, answer = ask(service.port, "POST", "/recognise", pictures[text], PNG)
                found.append((text, answer["text"] if status == 200 else str(status)))

        threads = [threading.Thread(target=client, args=(text,)) for text in pictures]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(found) == 50
        assert all(text == answer for text, answer in found)
        assert service.figures()["answers"] == {"200": 50}


def test_only_who_knows_the_token_is_answered(release: Path, pictures: dict[str, bytes]) -> None:
    with serving(lanes_of(release, count=1), token="a-secret-of-this-device") as service:  # noqa: S106 - a test's own
        for said in (None, "Bearer another", "Basic a-secret-of-this-device", "Bearer", "Bearer \xe9"):
            headers = PNG if said is None else {**PNG, "Authorization": said}
            status, answer, _ = ask(service.port, "POST", "/recognise", pictures["1"], headers)
            assert (status, answer["www-authenticate"].split()[0]) == (401, "Bearer")
        assert ask(service.port, "GET", "/nowhere")[0] == 401
        assert ask(service.port, "GET", "/health")[0] == 200
        known = {**PNG, "Authorization": "bearer a-secret-of-this-device"}
        assert ask(service.port, "POST", "/recognise", pictures["1"], known)[2]["text"] == "1"


def test_what_breaks_within_is_told_to_the_log_alone(
    release: Path, pictures: dict[str, bytes], caplog: pytest.LogCaptureFixture
) -> None:
    def broken(_: object) -> Reply:
        raise ValueError("Anna wrote this")

    with serving(lanes_of(release, count=1)) as service:
        service.routes["/broken"] = Route("GET", broken)
        status, _, problem = ask(service.port, "GET", "/broken")
        assert ask(service.port, "POST", "/recognise", pictures["1"], PNG)[0] == 200
    assert status == 500
    assert "Anna" not in str(problem) + caplog.text
    assert "ValueError" in caplog.text


def test_a_release_that_is_switched_to_reads_the_next_picture(release: Path, pictures: dict[str, bytes]) -> None:
    class Another(Recogniser):
        @property
        def release(self) -> int:
            return 2

    current: list[type[Recogniser]] = [Recogniser]
    source = Source(stamp=lambda: current[0].__name__, open=lambda: current[0].open(release))
    with serving(Lanes([Supply(source) for _ in range(2)], waiting=4)) as service:
        before = [ask(service.port, "POST", "/recognise", pictures["5"], PNG)[2]["release"] for _ in range(3)]
        current[0] = Another
        after = [ask(service.port, "POST", "/recognise", pictures["5"], PNG)[2]["release"] for _ in range(3)]
        assert ask(service.port, "GET", "/release")[2]["release"] == 2
    assert 2 not in before
    assert after == [2, 2, 2]


def test_it_can_be_started_again_on_its_port_at_once(release: Path) -> None:
    lanes, port = lanes_of(release, count=1), 0
    for _ in range(3):
        with serving(lanes, port=port) as service:
            port = service.port
            # It closes the connection first, and its end stays in TIME-WAIT.
            head = f"GET /health HTTP/1.1\r\nHost: localhost:{port}\r\n\r\n".encode()
            assert send(port, head, close=False)[0] == 200


def test_a_port_that_is_taken_is_refused_in_a_line(
    service: Service, release: Path, started: Callable[..., subprocess.Popen[str]]
) -> None:
    process = started("serve", "--port", service.port, "--release", release)
    said, complaint = process.communicate(timeout=60)
    assert (process.returncode, said) == (2, "")
    assert "choose another --port" in complaint
    assert len(complaint.splitlines()) == 1


def test_the_command_answers_until_sigterm_and_lets_a_reading_end(
    release: Path,
    pictures: dict[str, bytes],
    started: Callable[..., subprocess.Popen[str]],
    tmp_path: Path,
    until: Until,
) -> None:
    token = tmp_path / "token"
    token.write_text("a-secret-of-this-device\n")
    token.chmod(0o600)
    process = started("serve", "--port", 0, "--release", release, "--token-file", token, "--threads", 1)
    assert process.stdout is not None
    port = int(process.stdout.readline().split(":")[2].split("/")[0])
    headers = {**PNG, "Authorization": "Bearer a-secret-of-this-device"}
    assert ask(port, "POST", "/recognise", pictures["4"], headers)[2]["text"] == "4"
    assert ask(port, "POST", "/recognise", b"x", headers)[0] == 422
    head = (
        f"POST /recognise HTTP/1.1\r\nHost: localhost:{port}\r\nContent-Type: image/png\r\n"
        f"Authorization: {headers['Authorization']}\r\nContent-Length: {len(pictures['8'])}\r\n"
        "Expect: 100-continue\r\n\r\n"
    ).encode()
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        connection.sendall(head)
        assert connection.recv(100).startswith(b"HTTP/1.1 100 ")
        process.send_signal(signal.SIGTERM)
        until(lambda: _refuses(port), "it takes no more connections")
        connection.sendall(pictures["8"])
        answer = b""
        while part := connection.recv(65_536):
            answer += part
    assert answer.endswith(b"}")
    assert b'"text": "8"' in answer
    _, log = process.communicate(timeout=60)
    assert process.returncode == 0
    assert "'200': 2, '422': 1" in log
    assert "secret" not in log


def _refuses(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=5):
            return False
    except OSError:
        return True


@pytest.mark.parametrize(
    ("content", "mode"), [("short", 0o600), ("a-secret-of-this-device", 0o604), ("x" * 5000, 0o600)]
)
def test_a_token_that_is_none_or_known_to_all_is_refused(
    release: Path, started: Callable[..., subprocess.Popen[str]], tmp_path: Path, content: str, mode: int
) -> None:
    token = tmp_path / "token"
    token.write_text(content)
    token.chmod(mode)
    process = started("serve", "--port", 0, "--release", release, "--token-file", token)
    said, complaint = process.communicate(timeout=60)
    assert (process.returncode, said) == (2, "")
    assert content not in complaint


def test_the_python_example_of_the_documentation_reads_a_digit(
    service: Service,
    pictures: dict[str, bytes],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    page = (Path(__file__).resolve().parents[4] / "docs" / "edge-service.md").read_text(encoding="utf-8")
    example, _ = re.findall(r"```python\n(.*?)```", page, re.DOTALL)  # the second is of feedback
    (tmp_path / "scan.png").write_bytes(pictures["6"])
    monkeypatch.chdir(tmp_path)
    exec(compile(example.replace("8765", str(service.port)), "edge-service.md", "exec"), {})  # noqa: S102 - our own page
    text, confidence = capsys.readouterr().out.split()
    assert text == "6"
    assert 0.9 < float(confidence) <= 1


def test_every_problem_is_in_the_documentation() -> None:
    page = (Path(__file__).resolve().parents[4] / "docs" / "edge-service.md").read_text(encoding="utf-8")
    for kind, (status, _) in KINDS.items():
        assert kind in page
        assert str(status) in page
