"""A device that only reads installs little, and imports nothing of training, of servers or of databases."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from handfed.shared.datasets import Dataset

ROOT = Path(__file__).resolve().parents[3]
UV = ROOT / ".tools" / "bin" / "uv"
ABSENT = (
    "tensorflow",
    "tf_keras",
    "tensorflow_model_optimization",
    "flwr",
    "fastapi",
    "sqlalchemy",
    "matplotlib",
    "mlxtend",
)

# Runs the command as its entry point does, and then says on standard error which of ABSENT it has imported.
PROGRAM = f"""
import sys
from handfed.shared.cli import main
try:
    main()
finally:
    print(sorted(set({ABSENT!r}) & set(sys.modules)), file=sys.stderr)
"""


def run(python: Path | str, *arguments: object, home: Path) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
    return subprocess.run(
        [python, "-c", PROGRAM, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        cwd=home,
        env=environment | {"COLUMNS": "100", "TERM": "dumb"},
    )


@pytest.fixture(scope="module")
def edge_python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of a new environment that holds `shared` and `clients[edge]`, as a device would install them."""
    if not UV.exists():
        pytest.skip("uv is not here: make setup puts it into .tools/bin")
    environment = tmp_path_factory.mktemp("edge") / "venv"
    python = environment / "bin" / "python"
    variables = {"UV_CACHE_DIR": str(ROOT / ".cache" / "uv"), "UV_PYTHON_DOWNLOADS": "never"} | os.environ
    subprocess.run([UV, "venv", "--quiet", "--python", sys.executable, environment], check=True, env=variables)
    install: list[str | Path] = [UV, "pip", "install", "--quiet", "--python", python, "--constraint", "constraints.txt"]
    parts = ["--no-editable", "./shared", "./clients[edge]"]  # as wheels: uv makes workspace members editable
    # What the checkout was set up with is in the cache; only without it is the package index asked.
    from_cache = subprocess.run(
        [*install, "--offline", *parts], cwd=ROOT, env=variables, check=False, capture_output=True
    )
    if from_cache.returncode:
        subprocess.run([*install, *parts], cwd=ROOT, env=variables, check=True)
    return python


@pytest.fixture
def home(release_directory: Path, digits: Dataset, tmp_path: Path) -> Path:
    """A device's folder: a data directory with a release, a picture of a digit, and handwriting of its own."""
    (tmp_path / "handfed-data").symlink_to(release_directory.parents[1])
    Image.fromarray(255 - np.kron(digits.images[0], np.ones((6, 6), np.uint8))).save(tmp_path / "digit.png")
    np.savez(tmp_path / "mine.npz", x=digits.images[:50], y=digits.labels[:50], class_names=list("0123456789"))
    return tmp_path


@pytest.mark.slow
def test_nothing_of_training_servers_or_databases_is_installed(edge_python: Path) -> None:
    program = f"from importlib.util import find_spec; print([name for name in {ABSENT!r} if find_spec(name)])"
    found = subprocess.run([edge_python, "-c", program], capture_output=True, text=True, check=True)
    assert found.stdout == "[]\n"


@pytest.mark.slow
def test_what_is_installed_is_all_that_is_here(edge_python: Path) -> None:
    (installed,) = edge_python.parents[1].glob("lib/python*/site-packages/handfed")
    for part in ("shared", "clients"):
        source = ROOT / part / "src" / "handfed" / part
        files = [path for path in source.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
        assert len(files) > 10
        for path in files:
            assert (installed / part / path.relative_to(source)).read_bytes() == path.read_bytes(), path


@pytest.mark.slow
def test_the_help_shows_the_commands_of_the_edge(edge_python: Path, home: Path) -> None:
    result = run(edge_python, "--help", home=home)
    assert (result.returncode, result.stderr) == (0, "[]\n")
    for command, shown in {"recognise": True, "evaluate": True, "edge": True, "simulate": False, "runs": False}.items():
        assert (f" {command} " in result.stdout) is shown


@pytest.mark.slow
def test_it_recognises_there_and_says_what_evaluating_takes(edge_python: Path, home: Path) -> None:
    recognised = run(edge_python, "recognise", "digit.png", "--json", home=home)
    assert (recognised.returncode, recognised.stderr) == (0, "[]\n")
    assert recognised.stdout == run(sys.executable, "recognise", "digit.png", "--json", home=home).stdout
    evaluated = run(edge_python, "evaluate", "1", "mine.npz", "--json", home=home)
    assert evaluated.returncode == 2
    assert "handfed-clients[evaluate]" in evaluated.stderr
    here = run(sys.executable, "evaluate", "1", "mine.npz", "--json", home=home)
    assert json.loads(here.stdout)["accuracy"] > 0.7


@pytest.mark.parametrize(
    "arguments",
    [["--help"], ["recognise", "digit.png"], ["recognise", "--boxes", "digit.png"], ["evaluate", "1", "mine.npz"]],
)
def test_where_all_is_installed_it_is_not_imported_either(home: Path, arguments: list[str]) -> None:
    result = run(sys.executable, *arguments, home=home)
    assert (result.returncode, result.stderr) == (0, "[]\n")
