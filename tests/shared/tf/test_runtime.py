"""TensorFlow comes without what nothing here needs of it."""

from __future__ import annotations

import subprocess
import sys

import pytest

from handfed.shared.tf.runtime import without

LOADED = """
import sys, handfed.shared.tf.runtime
print(*{"matplotlib", "pandas", "sklearn"} & set(sys.modules))
import matplotlib
"""


def test_tensorflow_loads_no_library_that_is_not_used_and_those_can_be_imported_later() -> None:
    done = subprocess.run([sys.executable, "-c", LOADED], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def test_what_is_hidden_is_missing_within_the_block_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "colorsys", raising=False)
    with without("colorsys"), pytest.raises(ImportError):
        import colorsys
    import colorsys

    assert colorsys.rgb_to_hsv(0, 0, 0) == (0, 0, 0)


def test_what_is_imported_already_stays() -> None:
    with without("sys"):
        import sys as found
    assert found is sys is sys.modules["sys"]
