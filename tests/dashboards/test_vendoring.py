"""Libraries of the pages: pinned, checked, and put in place whole."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import tarfile
from pathlib import Path

import pytest

from handfed.dashboards import vendoring
from handfed.dashboards.vendoring import Pin, VendoringError, is_complete, pins, registry, unpacked, vendor_all


def _archive(**files: str) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as made:
        for name, text in files.items():
            member = tarfile.TarInfo(f"package/{name}")
            member.size = len(text)
            made.addfile(member, io.BytesIO(text.encode()))
    return out.getvalue()


def _integrity(archive: bytes) -> str:
    return "sha512-" + base64.b64encode(hashlib.sha512(archive).digest()).decode()


def _pins(path: Path, archive: bytes, **files: str) -> Path:
    pin = {"package": "one", "version": "1.0.0", "licence": "MIT", "integrity": _integrity(archive), "files": files}
    path.write_text(json.dumps([pin]))
    return path


def test_what_is_pinned_has_an_exact_version_a_hash_and_a_licence() -> None:
    for pin in pins():
        assert pin.version.count(".") == 2
        assert pin.integrity.startswith("sha512-")
        assert len(base64.b64decode(pin.integrity.removeprefix("sha512-"))) == 64
        assert pin.terms is not None or any(name.endswith("LICENSE") for name in pin.files.values())


def test_the_named_files_are_unpacked_and_no_others(tmp_path: Path) -> None:
    archive = _archive(used="yes", LICENSE="MIT", unused="no")
    path = _pins(tmp_path / "pins.json", archive, **{"package/used": "one.js", "package/LICENSE": "one.LICENSE"})
    vendor = tmp_path / "vendor"
    assert not is_complete(vendor, path)
    vendor_all(lambda _path: archive, vendor, path)
    assert {file.name for file in vendor.iterdir()} == {"one.js", "one.LICENSE", vendoring.COMPLETE}
    assert (vendor / "one.js").read_text() == "yes"
    assert is_complete(vendor, path)


def test_a_package_that_only_names_its_licence_comes_with_the_text_of_it() -> None:
    archive = _archive(used="yes")
    pin = Pin("@a/one", "1.0.0", "Apache-2.0", _integrity(archive), {"package/used": "one.js"}, terms="Apache-2.0.txt")
    assert b"Apache License" in unpacked(pin, archive)["one.LICENSE"]


def test_a_module_that_imports_a_package_by_its_name_imports_the_file_here() -> None:
    archive = _archive(used='import { a } from "@a/two";\nimport { b } from "./@a/two.js";')
    files, imports = {"package/used": "one.js"}, {"@a/two": "two.js"}
    found = unpacked(Pin("one", "1.0.0", "MIT", _integrity(archive), files, imports), archive)["one.js"]
    assert found == b'import { a } from "./two.js";\nimport { b } from "./@a/two.js";'


def test_another_pin_makes_what_is_there_incomplete(tmp_path: Path) -> None:
    archive = _archive(used="yes")
    path = _pins(tmp_path / "pins.json", archive, **{"package/used": "one.js"})
    vendor_all(lambda _path: archive, tmp_path / "vendor", path)
    _pins(path, _archive(used="more"), **{"package/used": "one.js"})
    assert not is_complete(tmp_path / "vendor", path)


def test_what_is_not_as_pinned_is_refused_and_what_was_there_stays(tmp_path: Path) -> None:
    archive = _archive(used="yes")
    path = _pins(tmp_path / "pins.json", archive, **{"package/used": "one.js"})
    vendor_all(lambda _path: archive, tmp_path / "vendor", path)
    with pytest.raises(VendoringError, match="not what was pinned"):
        vendor_all(lambda _path: _archive(used="evil"), tmp_path / "vendor", path)
    assert (tmp_path / "vendor" / "one.js").read_text() == "yes"


def test_a_missing_file_is_told() -> None:
    archive = _archive(used="yes")
    with pytest.raises(VendoringError, match="has no package/other"):
        unpacked(Pin("one", "1.0.0", "MIT", _integrity(archive), {"package/other": "x"}), archive)


def test_a_scoped_package_has_the_path_that_npm_gives_it() -> None:
    assert Pin("@a/b", "1.0.0", "MIT", "", {}).path == "@a/b/-/b-1.0.0.tgz"


def test_the_registry_is_the_one_that_is_named() -> None:
    assert registry({"NPM_CONFIG_REGISTRY": "https://npm.example/"}) == "https://npm.example"


def test_without_npm_or_a_name_nobody_says_which_registry(tmp_path: Path) -> None:
    with pytest.raises(VendoringError, match="NPM_CONFIG_REGISTRY"):
        registry({"PATH": str(tmp_path)})
