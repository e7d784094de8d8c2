"""The CA is made once and stays; the server's certificate is renewed by itself."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from handfed.server.authority import certificates
from handfed.server.authority.certificates import (
    ExpiredCertificateError,
    ForeignCertificateError,
    KeyMismatchError,
    make_authority,
    make_server_certificate,
)
from handfed.server.authority.files import LOCAL_NAMES, Authority, authority_in, ensure, load
from handfed.shared.errors import SettingError, StorageError

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
NAMES = ("server.example",)
DAY = timedelta(days=1)


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return authority_in(tmp_path / "data")


@pytest.fixture
def made(directory: Path) -> Authority:
    return ensure(directory, NAMES, now=NOW)


@pytest.fixture
def lenient_umask() -> Iterator[None]:
    before = os.umask(0)
    yield
    os.umask(before)


@pytest.mark.usefixtures("lenient_umask")
def test_only_the_owner_may_read_whatever_the_umask(directory: Path) -> None:
    ensure(directory, NAMES, now=NOW)
    assert directory.stat().st_mode & 0o777 == 0o700
    assert {path.name: path.stat().st_mode & 0o777 for path in directory.iterdir()} == dict.fromkeys(
        ("ca.pem", "ca.key", "server.pem", "server.key"), 0o600
    )
    assert [path.name for path in directory.parent.iterdir()] == ["authority"]


def test_a_second_start_changes_nothing(made: Authority, directory: Path) -> None:
    assert ensure(directory, NAMES, now=NOW + 100 * DAY) == made
    assert load(directory, now=NOW) == made


def test_the_server_is_known_by_its_names_and_on_its_own_machine(made: Authority) -> None:
    assert set(certificates.names_of(made.server.certificate)) == {*NAMES, *LOCAL_NAMES}


@pytest.mark.parametrize("days", [270, 396, 500, 3000])
def test_in_the_last_third_and_after_the_end_the_server_gets_a_new_key_and_the_ca_stays(
    made: Authority, directory: Path, days: int
) -> None:
    later = NOW + days * DAY
    renewed = ensure(directory, NAMES, now=later)
    assert renewed.ca == made.ca
    assert renewed.fingerprint == made.fingerprint
    assert renewed.server.key != made.server.key
    assert not certificates.renewal_is_due(renewed.server.certificate, now=later)
    assert load(directory, now=later) == renewed


@pytest.mark.parametrize("names", [("moved.example",), (*NAMES, "192.0.2.7"), ()])
def test_other_names_are_a_new_certificate_of_the_same_ca(
    made: Authority, directory: Path, names: tuple[str, ...]
) -> None:
    moved = ensure(directory, names, now=NOW)
    assert set(certificates.names_of(moved.server.certificate)) == {*names, *LOCAL_NAMES}
    assert moved.ca == made.ca


@pytest.mark.parametrize("lost", ["server.pem", "server.key"])
def test_a_server_certificate_that_is_gone_is_made_anew(made: Authority, directory: Path, lost: str) -> None:
    (directory / lost).unlink()
    with pytest.raises(StorageError, match="start the server"):
        load(directory, now=NOW)
    assert ensure(directory, NAMES, now=NOW).ca == made.ca


def test_a_renewal_that_a_power_cut_broke_heals(made: Authority, directory: Path) -> None:
    other = make_server_certificate(made.ca, NAMES, now=NOW)
    made.key_path.write_bytes(other.key)  # the first of two files was written
    with pytest.raises(KeyMismatchError):
        load(directory, now=NOW)
    healed = ensure(directory, NAMES, now=NOW)
    assert load(directory, now=NOW) == healed
    assert healed.ca == made.ca


@pytest.mark.parametrize("lost", ["ca.pem", "ca.key"])
def test_a_ca_is_never_made_beside_what_is_left_of_one(made: Authority, directory: Path, lost: str) -> None:
    (directory / lost).unlink()
    with pytest.raises(StorageError, match=rf"{lost} is missing.*restore it from a backup"):
        ensure(directory, NAMES, now=NOW)
    assert made.certificate_path.read_bytes() == made.server.certificate


def test_a_certificate_that_somebody_else_put_there_is_not_overwritten(made: Authority, directory: Path) -> None:
    foreign = make_server_certificate(make_authority("other", now=NOW), NAMES, now=NOW)
    made.certificate_path.write_bytes(foreign.certificate)
    made.key_path.write_bytes(foreign.key)
    with pytest.raises(ForeignCertificateError, match=r"move server\.pem"):
        ensure(directory, NAMES, now=NOW)
    assert made.certificate_path.read_bytes() == foreign.certificate


def test_an_expired_ca_is_said_and_not_replaced(made: Authority, directory: Path) -> None:
    with pytest.raises(ExpiredCertificateError, match="CA's"):
        ensure(directory, NAMES, now=NOW + 21 * 365 * DAY)
    assert made.ca_path.read_bytes() == made.ca.certificate


def test_a_name_that_cannot_be_in_a_certificate_leaves_no_half_authority(directory: Path) -> None:
    with pytest.raises(SettingError):
        ensure(directory, ["schüle"], now=NOW)
    assert not directory.exists()


def test_two_that_start_at_once_agree_on_one_ca(directory: Path) -> None:
    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(lambda _: ensure(directory, NAMES, now=NOW).fingerprint, range(4)))
    assert len(set(found)) == 1
    assert [path.name for path in directory.parent.iterdir()] == ["authority"]


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StorageError, match="cannot make"):
        ensure(tmp_path / "file" / "authority", NAMES, now=NOW)


def test_the_paths_are_those_of_the_files(made: Authority) -> None:
    assert made.ca_path.read_bytes() == made.ca.certificate
    assert made.key_path.read_bytes() == made.server.key
    assert replace(made, directory=Path("x")).ca_path == Path("x/ca.pem")
