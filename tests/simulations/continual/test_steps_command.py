"""`handfed simulate new-classes`, as a user types it, on the digits that come along; and going on with it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from handfed.shared.manifest import read_manifest

HANDFED = Path(sys.executable).parent / "handfed"
SHORT = [
    *("--steps", "classes:5", "--devices", "2", "--rounds", "3", "--qat-rounds", "1", "--local-steps", "5"),
    *("--methods", "naive,both", "--recogniser", "lenet", "--engine", "in-process", "--float-margin", "1"),
]


def handfed(*arguments: str, data_dir: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(HANDFED), "simulate", *arguments, "--data-dir", str(data_dir)], capture_output=True, text=True, check=False
    )


@pytest.mark.slow
def test_new_classes_are_learnt_published_and_not_trained_again(tmp_path: Path) -> None:
    done = handfed("new-classes", *SHORT, "--json", data_dir=tmp_path)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["steps"] == ["0 1 2 3 4", "5 6 7 8 9"]
    naive, both = found["methods"]
    assert (naive["runs"], both["runs"]) == ([1, 2], [1, 3])
    assert naive["matrix"][0] == both["matrix"][0]  # the first step is shared
    assert naive["matrix"][0][1] == 0  # what is not known yet is read wrong
    assert both["matrix"][1][0] > naive["matrix"][1][0]
    assert found["published"] == "both"
    manifest = read_manifest(Path(found["model_path"]).parent)
    assert manifest.alphabet.names == tuple("0123456789")
    assert (manifest.alphabet_version, manifest.run) == (2, 3)
    assert "9" in Path(found["report"]).read_text(encoding="utf-8")

    again = handfed("--resume", "1", "--json", data_dir=tmp_path)
    assert again.returncode == 0, again.stderr
    resumed = json.loads(again.stdout)
    assert [each["runs"] for each in resumed["methods"]] == [[1, 2], [1, 4]]  # what was published is, anew
    assert resumed["methods"][1]["matrix"] == both["matrix"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["new-classes", "--methods", "rehearsal"], "choose of naive, replay, distillation, both, joint"),
        (["new-classes", "--steps", "groups:staff,student"], "does not say of which group"),
        (["new-classes", "--sweep", "seed=0,1"], "has steps"),
        (["new-writers"], "names no data set"),
    ],
)
def test_what_cannot_be_is_told_before_anything_runs(arguments: list[str], message: str, tmp_path: Path) -> None:
    done = handfed(*arguments, data_dir=tmp_path)
    assert done.returncode == 2, done.stderr
    assert message in " ".join(done.stderr.split())
    assert not (tmp_path / "handfed.db").exists()
