"""A federation of real processes whose record is in PostgreSQL: from invitations to a release."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from handfed.clients.edge import Recogniser
from handfed.server.database import open_database
from handfed.server.devices.registry import Registrar
from handfed.server.devices.service import Devices
from handfed.server.runs.service import RunRecord
from handfed.shared.datasets import Dataset
from handfed.simulations.benchmarks.postgresql import NoPostgresqlError, new_database, postgresql
from handfed.simulations.real import RealFederation, real_federation, write_handwriting

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]  # of a busy machine, whose imports take minutes

DEVICES = ("north", "south")
SETTINGS = ("rounds=2", "qat_rounds=1", "local_epochs=1", "float_margin=1.0")


@pytest.fixture
def federation(tmp_path: Path) -> Iterator[RealFederation]:
    try:
        with postgresql(fsync=False) as server, real_federation(tmp_path, new_database(server)) as made:
            yield made
    except NoPostgresqlError as error:
        pytest.skip(str(error))


def test_a_federation_on_postgresql_trains_and_publishes(
    federation: RealFederation, digits: Dataset, tmp_path: Path
) -> None:
    federation.serve()
    for place, name in enumerate(DEVICES):
        file = tmp_path / f"{name}.npz"
        write_handwriting(file, digits, range(400 * place, 400 * place + 300))
        federation.join(name, f"School {name}", file)
        federation.take_part(name, "--threads", 1, "--nice", 0)
    with open_database(federation.database) as database:
        devices, record = Devices(database, Registrar(database, None)), RunRecord(database)
        federation.until(lambda: all(each.last_seen_at for each in devices.enrolled().values()), "contact", "server")
        asked = [part for each in SETTINGS for part in ("--set", each)]
        run = federation.answer("runs", "start", "--task", "digits", *asked)["run"]["id"]
        federation.until(lambda: record.get(run).ended_at, "the end of the run", "server", limit_s=500)
    ended = federation.answer("runs", "show", run)
    assert ended["run"]["status"] == "done", ended["run"]["error"]
    assert [(each["number"], each["accepted"]) for each in ended["rounds"]] == [(1, 2), (2, 2)]
    Recogniser.open(federation.server / "releases" / "0001").self_test()
    assert not (federation.server / "handfed.db").exists()
    password = str(urlsplit(federation.database).password).encode()
    kept = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    assert not [content for content in kept if password in content]
