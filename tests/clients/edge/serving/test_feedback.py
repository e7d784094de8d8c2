"""Feedback over HTTP: kept once, on the disk, and with nothing of it anywhere else."""

from __future__ import annotations

import base64
import http.client
import json
import logging
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from handfed.clients.device.folder import store_in
from handfed.clients.device.store.locks import Cost, PassphraseLock
from handfed.clients.device.store.retention import FeedbackSettings, Retention, write_settings
from handfed.clients.device.store.store import Store
from handfed.clients.edge.feedback import Desk
from handfed.clients.edge.recogniser import Recogniser
from handfed.clients.edge.serving.lanes import Lanes
from handfed.clients.edge.serving.service import Service
from handfed.clients.edge.serving.supply import Source, Supply
from handfed.clients.edge.tally import Count, Tally
from handfed.shared.alphabet import Alphabet
from handfed.shared.tasks import TASKS

JSON = {"Content-Type": "application/json"}
DIGITS = Alphabet(tuple("0123456789"))
WRITER = "Wilhelmina"
Ask = Callable[..., tuple[int, Any]]


@pytest.fixture
def device(tmp_path: Path) -> Path:
    """The folder of a device that has a store, and picks everything."""
    with Store.open(store_in(tmp_path)) as store:
        write_settings(store, FeedbackSettings(confirm=1.0))
    return tmp_path


@pytest.fixture
def served(release: Path) -> Iterator[Callable[[Path | None], Service]]:
    """Starts services over a device's folder, or over none."""
    with ExitStack() as stack:

        def start(folder: Path | None) -> Service:
            lanes = Lanes([Supply(Source.of_releases(str(release), Path("/nowhere"))) for _ in range(2)], waiting=20)
            desk = None if folder is None else stack.enter_context(closing(Desk(folder, by="me")))
            service = stack.enter_context(Service(lanes, port=0, desk=desk))
            work = threading.Thread(target=service.serve_forever, kwargs={"poll_interval": 0.02})
            work.start()
            stack.callback(work.join)
            stack.callback(service.stop, 5)
            return service

        yield start


def post(service: Service, path: str, body: bytes, headers: dict[str, str] = JSON) -> tuple[int, Any]:
    with closing(http.client.HTTPConnection("127.0.0.1", service.port, timeout=30)) as connection:
        connection.request("POST", path, body, headers)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())


def remark(picture: bytes, read: str = "4", **more: str) -> bytes:
    return json.dumps({"picture": base64.b64encode(picture).decode(), "read": read, **more}).encode()


def rows(folder: Path) -> list[tuple[Any, ...]]:
    query = "SELECT f.kind, f.picked, f.reading, f.confidence, f.release, s.label, s.source FROM feedback f"
    with Store.open(store_in(folder)) as store:
        return store._database.connection.execute(f"{query} JOIN samples s ON s.id = f.sample").fetchall()


def test_a_correction_is_kept_with_what_is_known_of_the_reading(
    served: Callable[[Path | None], Service], device: Path, pictures: dict[str, bytes], release: Path
) -> None:
    service = served(device)
    status, found = post(service, "/feedback", remark(pictures["4"], "4", correct="9", writer=WRITER))
    assert (status, found) == (200, {"feedback": 1, "kind": "correction", "picked": False, "known": False})
    assert post(service, "/feedback", remark(pictures["7"], "1", correct="7"))[0] == 200
    first, second = rows(device)  # while the service has the store open
    assert first == (
        "correction",
        0,
        b"4",
        pytest.approx(0.95, abs=0.06),
        Recogniser.open(release).release,
        b"9",
        "feedback",
    )
    assert second == ("correction", 0, b"1", None, None, b"7", "feedback")  # another release read it so
    with Store.open(store_in(device)) as store:
        assert [writer.name for writer in store.writers()] == [WRITER, None]


def test_the_same_request_again_changes_nothing_however_many_come_at_once(
    served: Callable[[Path | None], Service], device: Path, pictures: dict[str, bytes]
) -> None:
    service, answers = served(device), []
    body = remark(pictures["4"], correct="9")
    threads = [threading.Thread(target=lambda: answers.append(post(service, "/feedback", body))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found["known"] for _, found in answers) == [False] + 7 * [True]
    assert {(status, found["feedback"]) for status, found in answers} == {(200, 1)}
    assert len(rows(device)) == 1


def test_a_pick_is_answered_by_its_id_and_by_no_other(
    served: Callable[[Path | None], Service], device: Path, pictures: dict[str, bytes]
) -> None:
    service = served(device)
    status, reading = post(service, "/recognise", pictures["4"], {"Content-Type": "image/png"})
    assert (status, reading["text"]) == (200, "4")
    pick = reading["confirm"]
    assert post(service, "/feedback", remark(pictures["5"], "5", pick=pick))[0] == 400
    status, found = post(service, "/feedback", remark(pictures["4"], reading["text"], pick=pick))
    assert (status, found["kind"], found["picked"]) == (200, "confirmation", True)
    assert [row[-1] for row in rows(device)] == ["pick"]
    with Store.open(store_in(device)) as store:
        assert store.handwriting(TASKS["characters"], DIGITS).held_out.labels.tolist() == [4]
        write_settings(store, FeedbackSettings(confirm=0.0))
    assert service.desk is not None
    service.desk.tend()
    assert "confirm" not in post(service, "/recognise", pictures["4"], {"Content-Type": "image/png"})[1]


def test_a_device_that_keeps_no_handwriting_says_what_to_do(
    served: Callable[[Path | None], Service], tmp_path: Path, pictures: dict[str, bytes]
) -> None:
    service = served(tmp_path)
    status, problem = post(service, "/feedback", remark(pictures["4"], correct="9"))
    assert (status, problem["type"]) == (409, "/problems/not-kept")
    assert "handfed join" in problem["detail"]
    assert "handfed device import" in problem["detail"]
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "enrolment.json").write_text("{}")  # it has joined since
    assert post(service, "/feedback", remark(pictures["4"], correct="9"))[0] == 200
    assert len(rows(tmp_path)) == 1
    assert post(served(None), "/feedback", remark(pictures["4"], correct="9"))[0] == 409


def test_a_locked_store_is_said_so_and_reading_goes_on(
    served: Callable[[Path | None], Service],
    device: Path,
    pictures: dict[str, bytes],
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with Store.open(store_in(device)) as store:
        store.encrypt(PassphraseLock("three small rivers", Cost(n=2**4)))
    service = served(device)
    status, problem = post(service, "/feedback", remark(pictures["4"], correct="9"))
    assert (status, problem["type"]) == (409, "/problems/not-kept")
    assert "nothing was kept" in problem["detail"]
    assert "HANDFED_PASSPHRASE_FILE" in problem["detail"]
    assert "confirm" in post(service, "/recognise", pictures["4"], {"Content-Type": "image/png"})[1]
    words = tmp_path_factory.mktemp("words") / "passphrase"
    words.write_text("three small rivers\n")
    monkeypatch.setenv("HANDFED_PASSPHRASE_FILE", str(words))
    assert post(service, "/feedback", remark(pictures["4"], correct="9"))[0] == 200


def test_of_a_writer_who_is_forgotten_no_word_comes_back_and_none_is_logged(
    served: Callable[[Path | None], Service], device: Path, pictures: dict[str, bytes], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    service = served(device)
    body = remark(pictures["4"], correct="9", writer=WRITER)
    assert post(service, "/feedback", body)[0] == 200
    with Store.open(store_in(device)) as store:
        assert store.forget(WRITER, now=datetime.now(UTC))[1]  # from the disk, while the service runs
    content = b"".join(path.read_bytes() for path in store_in(device).iterdir())
    assert WRITER.encode() not in content
    status, problem = post(service, "/feedback", body)
    assert (status, problem["type"]) == (409, "/problems/not-kept")
    assert WRITER not in str(problem)
    assert WRITER not in caplog.text
    assert rows(device) == []


def test_nothing_of_what_is_said_is_logged_whatever_comes_of_it(
    served: Callable[[Path | None], Service], device: Path, pictures: dict[str, bytes], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    service = served(device)
    said = {"read": "Quetzal", "correct": "\u0416", "writer": WRITER}
    assert post(service, "/feedback", remark(pictures["4"], **said))[0] == 200
    assert post(service, "/feedback", remark(b"no picture", **said))[0] == 422
    assert post(service, "/feedback", remark(pictures["4"], **said, pick="Quetzal"))[0] == 400
    status, problem = post(service, "/feedback", remark(pictures["4"], **said | {"correct": "\u0416\u0416"}))
    assert status == 400
    assert [word for word in ("Quetzal", "\u0416", WRITER) if word in caplog.text + str(problem)] == []


def test_what_was_kept_long_enough_is_swept_while_the_service_runs(
    served: Callable[[Path | None], Service], device: Path, pictures: dict[str, bytes]
) -> None:
    service = served(device)
    assert post(service, "/feedback", remark(pictures["4"], correct="9"))[0] == 200
    with Store.open(store_in(device)) as store:
        write_settings(store, FeedbackSettings(retention=Retention(1)))
        with store.plain(writes=True) as connection:
            connection.execute("UPDATE feedback SET at = '2020-01-01T00:00:00+00:00'")
    assert service.desk is not None
    service.desk.tend()
    assert rows(device) == []


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Content-Type": "text/plain"}, 415),
        ({"Content-Type": "application/x-www-form-urlencoded"}, 415),
        ({"Content-Type": "image/png"}, 415),
        (JSON | {"Origin": "https://example.org"}, 403),
        (JSON | {"Sec-Fetch-Site": "cross-site"}, 403),
        (JSON | {"Host": "example.org"}, 403),
        (JSON | {"Content-Length": "30000000"}, 413),
    ],
)
def test_what_a_page_of_another_site_could_send_is_refused(
    served: Callable[[Path | None], Service],
    device: Path,
    pictures: dict[str, bytes],
    headers: dict[str, str],
    status: int,
) -> None:
    assert post(served(device), "/feedback", remark(pictures["4"], correct="9"), headers)[0] == status
    assert rows(device) == []


fields = st.dictionaries(
    st.sampled_from(["picture", "read", "correct", "writer", "pick", "consent", "by", "more"]),
    st.one_of(st.text(max_size=9), st.none(), st.integers(), st.lists(st.text(), max_size=2)),
)


@settings(max_examples=60)
@given(st.one_of(st.binary(max_size=50), fields.map(lambda each: json.dumps(each).encode())))
def test_whatever_else_comes_is_refused_with_a_reason(shared_service: Service, body: bytes) -> None:
    assert post(shared_service, "/feedback", body)[0] in {400, 422}


@pytest.fixture(scope="module")
def shared_service(release: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("device")
    Store.open(store_in(folder)).close()
    lanes = Lanes([Supply(Source.of_releases(str(release), Path("/nowhere")))], waiting=8)
    with closing(Desk(folder, by="me")) as desk, Service(lanes, port=0, desk=desk) as service:
        work = threading.Thread(target=service.serve_forever, kwargs={"poll_interval": 0.02})
        work.start()
        yield service
        service.stop(5)
        work.join()
    assert rows(folder) == []


@pytest.mark.parametrize(
    ("more", "status"),
    [
        ({"correct": "99"}, 400),
        ({"correct": " "}, 400),
        ({"correct": "\x07"}, 400),
        ({"consent": "withdrawn"}, 400),
        ({"pick": "x"}, 400),
        ({"by": "somebody"}, 400),
    ],
)
def test_what_cannot_be_meant_is_refused(
    shared_service: Service, pictures: dict[str, bytes], more: dict[str, str], status: int
) -> None:
    assert post(shared_service, "/feedback", remark(pictures["4"], **more))[0] == status


def test_deeply_nested_json_is_refused(shared_service: Service) -> None:
    assert post(shared_service, "/feedback", b"[" * 100_000)[0] == 400
    assert post(shared_service, "/feedback?read=4", b"{}")[0] == 400


def test_the_example_of_the_documentation_gives_feedback(
    served: Callable[[Path | None], Service],
    device: Path,
    pictures: dict[str, bytes],
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    page = (Path(__file__).resolve().parents[4] / "docs" / "edge-service.md").read_text(encoding="utf-8")
    place = tmp_path_factory.mktemp("pictures")
    (place / "scan.png").write_bytes(pictures["4"])
    monkeypatch.chdir(place)
    example = "".join(re.findall(r"```python\n(.*?)```", page, re.DOTALL))
    exec(compile(example.replace("8765", str(served(device).port)), "page", "exec"), {})  # noqa: S102 - our own page
    assert "{'feedback': 1, 'kind': 'correction', 'picked': False, 'known': False}" in capsys.readouterr().out
    assert len(rows(device)) == 1


def test_of_a_device_that_has_joined_readings_and_corrections_are_counted(
    served: Callable[[Path | None], Service], device: Path, pictures: dict[str, bytes]
) -> None:
    tally, picture = Tally(device), {"Content-Type": "image/png"}
    alone = served(device)
    post(alone, "/recognise", pictures["4"], picture)
    assert alone.desk is not None
    alone.desk.tend()
    assert tally.counts() == {}
    (device / "enrolment.json").write_text("{}")
    service = served(device)
    assert service.desk is not None
    for _ in range(3):
        post(service, "/recognise", pictures["4"], picture)
    for correct in ("9", "9", "4"):  # the second is the first again, the third a confirmation
        post(service, "/feedback", remark(pictures["4"], "4", correct=correct))
    service.desk.tend()
    assert tally.counts() == {1: Count(3, 1)}


def test_a_correction_of_what_a_page_read_is_kept_and_not_counted_as_the_reading_was_not(
    served: Callable[[Path | None], Service], device: Path, pictures: dict[str, bytes]
) -> None:
    (device / "enrolment.json").write_text("{}")
    service = served(device)
    assert service.desk is not None
    status, found = post(service, "/feedback", remark(pictures["4"], "4", correct="9", by="browser"))
    service.desk.tend()
    assert (status, found["kind"], len(rows(device))) == (200, "correction", 1)
    assert Tally(device).counts() == {}
