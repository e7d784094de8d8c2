"""Rules of the whole workspace."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PARTS = ("shared", "clients", "server", "simulations", "dashboards")
HEAVY = (
    *("tensorflow", "tf_keras", "flwr", "sqlalchemy", "alembic", "numpy", "PIL", "matplotlib", "ai_edge_litert"),
    *("fastapi", "pydantic", "cryptography"),
)


def in_python(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout


def test_handfed_is_a_namespace_that_no_part_owns() -> None:
    assert not [part for part in PARTS if (ROOT / part / "src" / "handfed" / "__init__.py").exists()]


def test_every_part_is_typed_and_a_member() -> None:
    workspace = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert set(workspace["tool"]["uv"]["workspace"]["members"]) == set(PARTS)
    assert all((ROOT / part / "src" / "handfed" / part / "py.typed").exists() for part in PARTS)


def test_flower_is_pinned_exactly_and_alike() -> None:
    pins = {
        requirement
        for part in PARTS
        for requirement in re.findall(r'"(flwr\b(?!-)[^"]*)"', (ROOT / part / "pyproject.toml").read_text())
    }
    assert pins == {"flwr==1.41.0", "flwr[simulation]==1.41.0"}
    assert "\nflwr==1.41.0" in (ROOT / "constraints.txt").read_text()


def test_help_imports_nothing_heavy() -> None:
    loaded = json.loads(
        in_python(
            "import json, sys\n"
            "sys.argv = ['handfed', '--help']\n"
            "from handfed.shared.cli import main\n"
            "import contextlib, io\n"
            "with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):\n"
            "    main()\n"
            "print(json.dumps(sorted(sys.modules)))"
        )
    )
    assert "typer" in loaded
    assert not {name.partition(".")[0] for name in loaded} & set(HEAVY)


@pytest.mark.parametrize(
    "command",
    [
        *("simulate", "train", "recognise", "recognisers", "evaluate", "data", "runs", "releases"),
        *("serve", "invite", "devices", "organisations", "tokens", "audit", "alerts", "backup", "restore", "doctor"),
        *("join", "device"),
    ],
)
def test_every_command_explains_itself(command: str) -> None:
    handfed = Path(sys.executable).parent / "handfed"
    done = subprocess.run([str(handfed), command, "--help"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert command in done.stdout


def test_the_docs_link_to_files_that_exist() -> None:
    broken = []
    for page in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]:
        for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text(encoding="utf-8")):
            if not (target.startswith("http") or (page.parent / target).exists()):
                broken += [f"{page.relative_to(ROOT)}: {target}"]
    assert not broken


def test_no_file_names_a_registry_or_a_path_of_one_machine() -> None:
    files = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    # Written in two halves, so that this file does not find itself.
    forbidden = re.compile(
        "|".join(("pypi" + r"\.org", "python" + "hosted", "registry" + r"\.npmjs", "/work" + "/main"))
    )
    found = []
    for name in files:
        path = ROOT / name
        if path.suffix in {".png", ".tflite"} or not path.is_file():
            continue
        if forbidden.search(path.read_text(encoding="utf-8", errors="ignore")):
            found.append(name)
    assert not found
