"""Processes of a real federation are started, waited for and ended."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from handfed.clients.datasets import read
from handfed.shared.datasets import Dataset
from handfed.simulations.real import (
    RealFederation,
    RealFederationError,
    free_port,
    listens,
    real_federation,
    write_handwriting,
)


def test_a_command_that_fails_says_what_it_said(tmp_path: Path) -> None:
    with pytest.raises(RealFederationError, match=r"handfed join failed: .*invitation"):
        RealFederation(tmp_path).run("join", "handfed-0-nonsense", "--data", tmp_path)


def test_what_a_command_at_the_server_prints_is_read_as_json(tmp_path: Path) -> None:
    assert RealFederation(tmp_path).answer("runs")["runs"] == []


@pytest.mark.slow
def test_processes_end_with_the_block(tmp_path: Path) -> None:
    with real_federation(tmp_path) as made:
        made.serve()
        assert listens(made.port)
        assert made.authority.exists()
        server = made.processes["server"]
    assert server.returncode == 0
    assert not listens(made.port)


def test_a_process_that_has_ended_is_not_waited_for(tmp_path: Path) -> None:
    with real_federation(tmp_path) as made:
        made.start("device", "device", "run", "--data", tmp_path / "nobody")
        with pytest.raises(RealFederationError, match=r"device has ended without contact: see .*device.log"):
            made.until(lambda: False, "contact", "device")


def test_what_does_not_come_is_not_waited_for_for_ever(tmp_path: Path) -> None:
    with real_federation(tmp_path) as made:
        made.start("server", "serve", "--data-dir", made.server, "--port", made.port)
        with pytest.raises(RealFederationError, match="a wonder did not come within 0 s"):
            made.until(lambda: False, "a wonder", "server", limit_s=0)


def test_handwriting_is_written_as_it_is_read(tmp_path: Path, digits: Dataset) -> None:
    rows = range(5, 205)
    write_handwriting(tmp_path / "some.npz", digits, rows, writers=4)
    found = read(str(tmp_path / "some.npz"), "digits")
    np.testing.assert_array_equal(found.images, digits.images[5:205])
    np.testing.assert_array_equal(found.labels, digits.labels[5:205])
    assert found.writers is not None
    assert len(set(found.writers)) == 4


def test_a_free_port_is_one_where_nothing_listens() -> None:
    assert not listens(free_port())
