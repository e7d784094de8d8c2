"""A device joins the federation of its invitation and no other, and keeps what it has when that fails."""

from __future__ import annotations

import json
import os
import socket
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handfed.clients.device import credentials, keys, server_link
from handfed.clients.device.credentials import Enrolment, NotJoinedError
from handfed.clients.device.enrolment import AlreadyJoinedError, join, move, rotate
from handfed.clients.device.refusals import RefusedError
from handfed.clients.device.server_link import (
    ClockError,
    InterceptedError,
    NoHandfedError,
    ProxyError,
    ServerCertificateError,
    ServerLink,
    UnreachableError,
)
from handfed.server.authority.certificates import Credential, make_authority
from handfed.shared.address import Address
from handfed.shared.enrolment import Refusal
from handfed.shared.errors import EnrolmentError, SettingError, StorageError
from handfed.shared.files import write_atomically
from handfed.shared.invitation import Invitation

if TYPE_CHECKING:
    from tests.clients.device.conftest import FederationServer, Servers

FILES = {"ca.pem", "device.key", "enrolment.json", "enrolment.lock", "registry-root.json"}
HOUR = timedelta(hours=1)


@pytest.fixture
def lenient_umask() -> Iterator[None]:
    before = os.umask(0)
    yield
    os.umask(before)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()} if folder.exists() else {}


@pytest.mark.usefixtures("lenient_umask")
def test_a_device_that_joined_has_a_key_that_the_server_knows_and_nobody_else_may_read_it(
    server: FederationServer, folder: Path
) -> None:
    invitation = server.invite()
    enrolment = join(folder, invitation, name="reception")
    key = (folder / "device.key").read_bytes()
    assert server.devices == {1: keys.public_key_of(key)}
    assert (folder / "ca.pem").read_bytes() == server.ca.certificate
    assert credentials.load(folder) == enrolment
    assert (enrolment.device, enrolment.name, enrolment.organisation) == (1, "reception", "Clinic North")
    assert enrolment.server == f"127.0.0.1:{server.port}"
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {path.name: path.stat().st_mode & 0o777 for path in folder.iterdir()} == dict.fromkeys(FILES, 0o600)


def test_neither_the_private_key_nor_more_than_needed_is_sent(server: FederationServer, folder: Path) -> None:
    join(folder, server.invite())
    (document,) = server.posted()
    assert set(document) == {"secret", "public_key", "name", "versions", "proof"}
    assert set(document["versions"]) <= {"handfed", "python", "system", "flwr", "tensorflow"}
    assert "PRIVATE" not in json.dumps(document)


def test_the_enrolment_file_holds_no_secret(server: FederationServer, folder: Path) -> None:
    invitation = server.invite()
    join(folder, invitation)
    content = (folder / "enrolment.json").read_text()
    assert json.loads(content)["format"] == 1
    assert server.posted()[0]["secret"] not in content
    assert invitation.secret.hex() not in content


def test_a_joined_device_joins_again_only_when_told(server: FederationServer, folder: Path) -> None:
    join(folder, server.invite())
    before = contents(folder)
    with pytest.raises(AlreadyJoinedError, match=r"device 1 of Clinic North.*--again"):
        join(folder, server.invite())
    assert contents(folder) == before
    assert join(folder, server.invite(), again=True).device == 2
    assert server.devices[2] == keys.public_key_of((folder / "device.key").read_bytes())
    assert set(contents(folder)) == FILES


def test_a_join_whose_answer_was_lost_is_taken_up_with_the_same_key(server: FederationServer, folder: Path) -> None:
    invitation = server.invite()
    server.lost_answers = 1
    with pytest.raises(UnreachableError):
        join(folder, invitation)
    assert not credentials.is_joined(folder)
    enrolment = join(folder, invitation)
    assert enrolment.device == 1
    assert server.devices == {1: keys.public_key_of((folder / "device.key").read_bytes())}
    assert set(contents(folder)) == FILES


def test_after_a_lost_answer_another_invitation_gets_another_key(server: FederationServer, folder: Path) -> None:
    server.lost_answers = 1
    with pytest.raises(UnreachableError):
        join(folder, server.invite())
    assert join(folder, server.invite()).device == 2
    assert len(set(server.devices.values())) == 2


class _PowerCutError(Exception):
    pass


@pytest.mark.parametrize("again", [False, True])
@pytest.mark.parametrize("writes", range(6))
def test_a_join_that_breaks_at_any_write_or_rename_can_be_repeated(
    server: FederationServer, folder: Path, monkeypatch: pytest.MonkeyPatch, writes: int, again: bool
) -> None:
    if again:
        join(folder, server.invite())
    invitation, before = server.invite(), contents(folder)
    left = [writes]

    def failing(path: Path, content: bytes) -> None:
        if not left[0]:
            raise _PowerCutError
        left[0] -= 1
        write_atomically(path, content)

    monkeypatch.setattr("handfed.clients.device.credentials.write_atomically", failing)
    if writes < 5:
        with pytest.raises(_PowerCutError):
            join(folder, invitation, again=again)
        after = contents(folder)
        assert {name: after.get(name) for name in before} == before
        monkeypatch.undo()
    enrolment = join(folder, invitation, again=again)
    assert credentials.load(folder) == enrolment
    assert server.devices[enrolment.device] == keys.public_key_of((folder / "device.key").read_bytes())
    assert set(contents(folder)) == FILES


@pytest.mark.parametrize("renamed", range(4))
def test_a_change_that_has_happened_is_finished_by_whoever_comes_next(
    server: FederationServer, folder: Path, tmp_path: Path, renamed: int
) -> None:
    join(folder, server.invite(), name="old")
    server.registry_root = "root 2"
    new = join(tmp_path / "other", server.invite(), name="new")
    names = ("device.key", "ca.pem", "registry-root.json", "enrolment.json")
    for at, name in enumerate(names):
        target = name if at < renamed else name + ".new"
        (folder / target).write_bytes((tmp_path / "other" / name).read_bytes())
    assert credentials.load(folder) == new
    assert {name: contents(folder)[name] for name in names} == {
        name: contents(tmp_path / "other")[name] for name in names
    }
    assert set(contents(folder)) == FILES


@pytest.mark.parametrize("done", range(3))
def test_a_change_to_a_federation_without_a_registry_is_finished_likewise(
    server: FederationServer, folder: Path, done: int
) -> None:
    join(folder, server.invite())
    (folder / "registry-root.json.new").touch()
    (folder / "enrolment.json").rename(folder / "enrolment.json.new")
    for name in ("registry-root.json", "registry-root.json.new")[:done]:
        (folder / name).unlink()
    credentials.load(folder)
    assert set(contents(folder)) == FILES - ({"registry-root.json"})
    assert credentials.registry_root(folder) is None


def test_a_device_trusts_the_root_of_the_federation_that_it_joined_last(server: FederationServer, folder: Path) -> None:
    server.registry_root = "root 1"
    join(folder, server.invite())
    assert credentials.registry_root(folder) == b"root 1"
    server.registry_root = "root 2"
    join(folder, server.invite(), again=True)
    assert credentials.registry_root(folder) == b"root 2"
    server.registry_root = None
    join(folder, server.invite(), again=True)
    assert credentials.registry_root(folder) is None
    assert not (folder / "registry-root.json").exists()


def test_a_new_key_leaves_the_root_and_brings_one_where_there_was_none(server: FederationServer, folder: Path) -> None:
    server.registry_root = None
    join(folder, server.invite())
    server.registry_root = "root 1"
    rotate(folder)
    assert credentials.registry_root(folder) == b"root 1"
    server.registry_root = "root of somebody who has the server"
    rotate(folder)
    assert credentials.registry_root(folder) == b"root 1"


def test_a_change_that_has_not_happened_leaves_no_trace(server: FederationServer, folder: Path) -> None:
    old = join(folder, server.invite())
    before = contents(folder)
    (folder / "device.key.new").write_bytes(keys.make_key())
    (folder / "ca.pem.new").write_bytes(b"half")
    (folder / "registry-root.json.new").write_bytes(b"")
    (folder / ".device.key.new.x1y2").write_bytes(b"killed while it was written")
    (folder / ".rotating-00.key.x1y2").write_bytes(b"likewise")
    assert credentials.load(folder) == old
    with credentials.changing(folder):
        pass
    assert contents(folder) == before


@pytest.mark.parametrize("refusal", list(Refusal))
def test_every_refusal_has_its_own_words_and_advice(server: FederationServer, folder: Path, refusal: Refusal) -> None:
    server.refusal = (409, {"type": f"/api/v1/problems/{refusal}", "title": "no"}, {"Retry-After": "17"})
    with pytest.raises(RefusedError) as refused:
        join(folder, server.invite())
    assert refused.value.refusal is refusal
    assert len(str(refused.value)) > 40
    assert not credentials.is_joined(folder)
    assert any(folder.glob("joining-*.key")) == (refusal is Refusal.TOO_MANY_ATTEMPTS)
    assert ("17 seconds" in str(refused.value)) == (refusal is Refusal.TOO_MANY_ATTEMPTS)


def test_no_two_refusals_read_the_same() -> None:
    words = {str(RefusedError({"type": refusal.value})) for refusal in Refusal}
    assert len(words) == len(Refusal)


def test_a_refusal_that_is_not_known_is_quoted_without_what_a_terminal_obeys(
    server: FederationServer, folder: Path
) -> None:
    server.refusal = (422, {"type": "about:blank", "detail": "the name is taken\x1b[2J" + "x" * 1000}, {})
    with pytest.raises(RefusedError, match="the name is taken") as refused:
        join(folder, server.invite())
    assert "\x1b" not in str(refused.value)
    assert len(str(refused.value)) < 400


def test_a_used_invitation_says_that_it_works_once(server: FederationServer, folder: Path, tmp_path: Path) -> None:
    invitation = server.invite()
    join(folder, invitation)
    with pytest.raises(RefusedError, match=r"works once.*ask for a new invitation"):
        join(tmp_path / "second", invitation)
    assert list(server.devices) == [1]


def test_a_listener_with_another_ca_gets_no_secret(servers: Servers, server: FederationServer, folder: Path) -> None:
    listener = servers.serve(make_authority("North", now=datetime.now(UTC)))
    real = server.invite()
    with pytest.raises(InterceptedError, match=r"another fingerprint\. Somebody may be listening"):
        join(folder, Invitation(f"127.0.0.1:{listener.port}", real.fingerprint, real.secret))
    assert listener.posted() == []
    assert not any(folder.glob("*.key"))


def test_a_listener_who_shows_the_real_ca_gets_no_secret_either(
    servers: Servers, server: FederationServer, folder: Path
) -> None:
    listener = servers.serve(make_authority("North", now=datetime.now(UTC)), shown=server.ca)
    real = server.invite()
    with pytest.raises(InterceptedError, match="not of this federation"):
        join(folder, Invitation(f"127.0.0.1:{listener.port}", real.fingerprint, real.secret))
    assert listener.posted() == []


def test_a_server_certificate_for_other_names_is_refused(servers: Servers, ca: Credential, folder: Path) -> None:
    server = servers.serve(ca, names=("server.example", "192.0.2.7"))
    with pytest.raises(ServerCertificateError, match=r"for other names.*127\.0\.0\.1"):
        join(folder, server.invite())
    assert server.posted() == []


def test_an_expired_server_certificate_is_said(servers: Servers, folder: Path) -> None:
    then = datetime.now(UTC) - timedelta(days=500)
    server = servers.serve(make_authority("North", now=then), made=then)
    with pytest.raises(ServerCertificateError, match="has expired"):
        join(folder, server.invite())
    assert server.posted() == []


@pytest.mark.parametrize(
    ("ahead", "words"),
    [(1.1 * HOUR, "1 h [56] min behind"), (-1.1 * HOUR, "1 h [56] min ahead"), (-timedelta(seconds=20), "ahead of")],
)
def test_a_clock_that_differs_is_said_before_anything_is_sent(
    server: FederationServer, folder: Path, ahead: timedelta, words: str
) -> None:
    server.ahead = ahead
    with pytest.raises(ClockError, match=words):
        join(folder, server.invite())
    assert server.posted() == []


@given(
    ahead_s=st.floats(-1e5, 1e5),
    journey_s=st.floats(0, 20),
    stamped=st.floats(0, 1),
    start_s=st.floats(0, 1e9),
)
def test_a_difference_of_clocks_is_never_overstated_and_found_where_it_is_more_than_the_journey(
    ahead_s: float, journey_s: float, stamped: float, start_s: float
) -> None:
    zero = datetime(2026, 1, 1, tzinfo=UTC)
    date = (zero + timedelta(seconds=start_s + stamped * journey_s)).replace(microsecond=0)
    sent = zero + timedelta(seconds=start_s + ahead_s)
    found = server_link.clock_difference(sent, sent + timedelta(seconds=journey_s), date)
    assert abs(found) <= abs(ahead_s) + 1e-3
    assert found == 0 or (found > 0) == (ahead_s > 0)
    assert found != 0 or abs(ahead_s) <= journey_s + 1 + 1e-3


@pytest.mark.parametrize("ahead", [timedelta(minutes=4), -timedelta(seconds=4)])
def test_a_clock_that_flower_takes_is_taken(server: FederationServer, folder: Path, ahead: timedelta) -> None:
    server.ahead = ahead
    assert join(folder, server.invite()).device == 1


def test_without_a_date_the_times_of_the_ca_tell_of_a_clock_that_is_wrong(
    server: FederationServer, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server_link, "_difference", lambda *_: 0.0)
    with pytest.raises(ClockError, match="before the federation began"):
        join(folder, server.invite(), clock=lambda: datetime(1970, 1, 1, tzinfo=UTC))
    with pytest.raises(ServerCertificateError, match="check this device's clock"):
        join(folder, server.invite(), clock=lambda: datetime(2090, 1, 1, tzinfo=UTC))


def test_through_a_proxy_tls_ends_at_the_server(
    servers: Servers, server: FederationServer, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy = servers.proxy()
    monkeypatch.setenv("HTTPS_PROXY", proxy.url)
    assert join(folder, server.invite()).device == 1
    assert proxy.asked == [f"CONNECT 127.0.0.1:{server.port}"] * 2


def test_a_host_that_no_proxy_names_is_asked_directly(
    servers: Servers, server: FederationServer, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy = servers.proxy()
    monkeypatch.setenv("HTTPS_PROXY", proxy.url)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    assert join(folder, server.invite()).device == 1
    assert proxy.asked == []


def test_a_proxy_that_refuses_is_named_without_its_password(
    servers: Servers, server: FederationServer, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = servers.proxy(allowed=False).url
    monkeypatch.setenv("HTTPS_PROXY", url.replace("//", "//user:hidden@"))
    with pytest.raises(ProxyError, match=rf"proxy {url.removeprefix('http://')} does not let .*CONNECT") as refused:
        join(folder, server.invite())
    assert "hidden" not in str(refused.value)


@pytest.mark.parametrize(
    "url", ["http://user:hidden@127.0.0.1:1", "socks5://127.0.0.1:1", "ftp://hidden@x", "http://["]
)
def test_a_proxy_that_is_not_there_or_none_is_said(
    server: FederationServer, folder: Path, monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", url)
    with pytest.raises(ProxyError) as refused:
        join(folder, server.invite())
    assert "hidden" not in str(refused.value)


def test_a_server_that_does_not_run_is_said(folder: Path) -> None:
    with socket.socket() as unheard:
        unheard.bind(("127.0.0.1", 0))  # so that nobody else listens there
        with pytest.raises(UnreachableError, match="refuses connections: check that it runs"):
            join(folder, Invitation(f"127.0.0.1:{unheard.getsockname()[1]}", bytes(32), bytes(32)))


def test_a_name_that_is_not_known_is_said(folder: Path) -> None:
    with pytest.raises(UnreachableError, match="name that is not known"):
        join(folder, Invitation("nowhere.invalid", bytes(32), bytes(32)))


def test_a_server_that_does_not_answer_is_said() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        link = ServerLink(Address("127.0.0.1", silent.getsockname()[1]), timeout_s=0.1)
        with pytest.raises(UnreachableError, match="does not answer"):
            link.greet(bytes(32))


def test_a_port_without_tls_is_no_handfed_server(folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(1000)
                connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        thread = threading.Thread(target=answer)
        thread.start()
        with pytest.raises(NoHandfedError, match="no TLS is spoken there"):
            join(folder, Invitation(f"127.0.0.1:{listener.getsockname()[1]}", bytes(32), bytes(32)))
        thread.join()


@pytest.mark.parametrize(
    ("refusal", "words"),
    [
        ((500, {"type": "about:blank"}, {}), "failed .500.; wait"),
        ((404, {"no": "problem"}, {}), "no Handfed server"),
        ((302, {}, {"Location": "https://127.0.0.1:1/"}), "no Handfed server"),
    ],
)
def test_what_is_no_answer_of_ours_is_said(
    server: FederationServer, folder: Path, refusal: tuple[int, dict[str, Any], dict[str, str]], words: str
) -> None:
    server.refusal = refusal
    with pytest.raises(NoHandfedError, match=words):
        join(folder, server.invite())


def test_an_answer_that_lacks_a_field_is_no_membership(server: FederationServer, folder: Path) -> None:
    server.refusal = (201, {"number": 1}, {})
    with pytest.raises(EnrolmentError, match="lacks a field"):
        join(folder, server.invite())
    assert not credentials.is_joined(folder)


@pytest.mark.parametrize("name", ["", "   ", "x" * 101, "a\x1b[2J"])
def test_a_name_that_is_none_is_refused_before_anything_is_sent(
    server: FederationServer, folder: Path, name: str
) -> None:
    with pytest.raises(SettingError):
        join(folder, server.invite(), name=name)
    assert server.requests == []


def test_two_joins_at_once_are_one(server: FederationServer, folder: Path) -> None:
    with credentials.changing(folder), pytest.raises(SettingError, match="another process"):
        join(folder, server.invite())


def test_a_rotation_gives_the_device_another_key_and_no_other_device(
    server: FederationServer, folder: Path, tmp_path: Path
) -> None:
    before = join(folder, server.invite())
    join(tmp_path / "other", server.invite())
    old = dict(server.devices)
    after = rotate(folder)
    assert server.devices == {1: keys.public_key_of((folder / "device.key").read_bytes()), 2: old[2]}
    assert server.devices[1] != old[1]
    assert (after.device, after.enrolled_at) == (before.device, before.enrolled_at)
    assert set(contents(folder)) == FILES
    assert not credentials.has_pending_rotation(folder)


def test_a_rotation_that_does_not_reach_the_server_leaves_the_old_key(server: FederationServer, folder: Path) -> None:
    join(folder, server.invite())
    before = contents(folder)
    server.refusal = (503, {"type": "about:blank"}, {})
    with pytest.raises(NoHandfedError):
        rotate(folder)
    assert {name: contents(folder)[name] for name in FILES} == before
    assert server.devices == {1: keys.public_key_of(before["device.key"])}


def test_a_rotation_whose_answer_was_lost_is_finished_by_a_repeat(server: FederationServer, folder: Path) -> None:
    join(folder, server.invite())
    old = (folder / "device.key").read_bytes()
    server.lost_answers = 1
    with pytest.raises(UnreachableError):
        rotate(folder)
    assert (folder / "device.key").read_bytes() == old
    assert credentials.has_pending_rotation(folder)
    rotate(folder)
    assert server.devices == {1: keys.public_key_of((folder / "device.key").read_bytes())}
    assert not credentials.has_pending_rotation(folder)


def test_a_revoked_device_keeps_its_key_and_is_told(server: FederationServer, folder: Path) -> None:
    join(folder, server.invite())
    before = contents(folder)
    server.devices.clear()
    with pytest.raises(RefusedError, match="revoked it"):
        rotate(folder)
    assert contents(folder) == before


def test_a_device_that_is_in_no_federation_is_told_how_to_join(folder: Path) -> None:
    with pytest.raises(NotJoinedError, match="handfed join CODE"):
        rotate(folder)
    with pytest.raises(NotJoinedError):
        credentials.load(folder)
    assert not folder.exists()


def test_an_enrolment_file_of_a_newer_format_or_damaged_is_refused() -> None:
    enrolment = Enrolment("server:8443", "00" * 32, 7, "a", "b", None, "then", "then")
    content = enrolment.encode()
    assert Enrolment.decode(content) == enrolment
    assert Enrolment.decode(content.replace(b"{", b'{"colour": "green",', 1)) == enrolment
    with pytest.raises(EnrolmentError, match="newer Handfed"):
        Enrolment.decode(content.replace(b'"format": 1', b'"format": 2'))
    for wrong in (b"", b"[]", content[:40], content.replace(b'"device": 7', b'"device": "7"'), b'{"format": 1}'):
        with pytest.raises(EnrolmentError, match="damaged"):
            Enrolment.decode(wrong)


def test_a_folder_that_cannot_be_made_is_named(server: FederationServer, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StorageError, match="cannot make"):
        join(tmp_path / "file" / "device", server.invite())


def test_a_device_follows_its_server_to_another_address(
    server: FederationServer, servers: Servers, ca: Credential, folder: Path
) -> None:
    before = join(folder, server.invite())
    elsewhere = servers.serve(ca)
    after = move(folder, Address("127.0.0.1", elsewhere.port))
    assert after == replace(before, server=f"127.0.0.1:{elsewhere.port}") == credentials.load(folder)
    assert elsewhere.posted() == []


def test_a_device_does_not_follow_to_another_federation(
    server: FederationServer, servers: Servers, folder: Path
) -> None:
    before = join(folder, server.invite())
    foreign = servers.serve(make_authority("Another", now=datetime.now(UTC)))
    with pytest.raises(InterceptedError):
        move(folder, Address("127.0.0.1", foreign.port))
    assert credentials.load(folder) == before


def test_a_device_does_not_follow_to_who_merely_shows_its_ca(
    server: FederationServer, servers: Servers, ca: Credential, folder: Path
) -> None:
    before = join(folder, server.invite())
    liar = servers.serve(make_authority("Another", now=datetime.now(UTC)), shown=ca)
    with pytest.raises(InterceptedError):
        move(folder, Address("127.0.0.1", liar.port))
    assert credentials.load(folder) == before
