"""A federation on a Ray cluster of two nodes gives the weights of one on this machine alone."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from handfed.shared.datasets import Dataset

HANDFED = Path(sys.executable).parent / "handfed"
CLUSTER = """
import sys
from ray.cluster_utils import Cluster
cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
cluster.add_node(num_cpus=1)
cluster.wait_for_nodes()
print(len(cluster.list_all_nodes()), cluster.address, flush=True)
sys.stdin.read()  # until the test is over
cluster.shutdown()
"""


@pytest.fixture
def cluster() -> Iterator[str]:
    process = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", CLUSTER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    with process:
        assert process.stdout is not None
        assert process.stdin is not None
        nodes, address = next(line for line in process.stdout if line[:1].isdigit()).split()
        assert nodes == "2"
        yield address
        process.stdin.close()


def simulate(data: Path, data_dir: Path, *arguments: str) -> dict[str, object]:
    settings = ["--rounds", "3", "--qat-rounds", "1", "--devices", "4", "--float-margin", "1", "--json"]
    done = subprocess.run(
        [str(HANDFED), "simulate", "--data", str(data), "--data-dir", str(data_dir), *settings, *arguments],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    printed: dict[str, object] = json.loads(done.stdout)  # nothing of Ray's is between
    return printed


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_a_cluster_of_two_nodes_gives_the_weights_of_one_process(digits: Dataset, tmp_path: Path, cluster: str) -> None:
    data = tmp_path / "digits.npz"
    np.savez(data, x=digits.images[:300], y=digits.labels[:300])
    alone = simulate(data, tmp_path, "--engine", "in-process")
    together = simulate(data, tmp_path, "--engine", "ray", "--ray-address", cluster)
    assert together["weights_sha256"] == alone["weights_sha256"]
    assert together["run"] != alone["run"]


def test_a_cluster_that_is_not_there_is_told_in_a_line(digits: Dataset, tmp_path: Path) -> None:
    data = tmp_path / "digits.npz"
    np.savez(data, x=digits.images[:60], y=digits.labels[:60])
    nowhere = "127.0.0.1:1"
    done = subprocess.run(
        [str(HANDFED), "simulate", "--data", data, "--data-dir", tmp_path, "--engine", "ray", "--ray-address", nowhere],
        capture_output=True,
        text=True,
        check=False,
        timeout=400,
    )
    assert done.returncode == 1
    assert "Ray cluster at 127.0.0.1:1" in done.stderr
    assert "Traceback" not in done.stderr
