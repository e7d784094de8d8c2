"""Exports of a release: real conversions, each read back and compared."""

from __future__ import annotations

import json
import platform
import re
import sys
import tomllib
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import Result
from PIL import Image
from typer.testing import CliRunner

from handfed.server.database import open_database
from handfed.server.flower.state import Model, RunState
from handfed.server.releases.cli import commands
from handfed.server.releases.exports.formats import FORMATS
from handfed.server.releases.exports.service import an_even_pick, export
from handfed.server.releases.exports.source import Source, source_of
from handfed.server.releases.publish import check_conversion, weights_sha256
from handfed.server.releases.schemas import ReleaseFacts
from handfed.server.releases.selftest import texts
from handfed.server.releases.service import ReleaseRecord
from handfed.server.runs.schemas import RoundResult, RunStart
from handfed.server.runs.service import RunRecord
from handfed.shared import strips
from handfed.shared.data_directory import database_url, releases_in
from handfed.shared.datasets import Dataset
from handfed.shared.errors import HandfedError, MissingExtraError, ReleaseRefusedError, SettingError, StorageError
from handfed.shared.geometry import Geometry
from handfed.shared.litert import Int8Model, softmax
from handfed.shared.manifest import MANIFEST, MODEL, MODEL_CARD, File, Manifest
from handfed.shared.samples import Samples
from handfed.shared.tf.export import to_int8
from handfed.shared.tf.training import Trainer

ROOT = Path(__file__).resolve().parents[3]
NOON = datetime(2026, 5, 6, 12, tzinfo=UTC)
OF_INTEGERS, OF_FLOATS = ("tflite", "onnx-int8"), ("savedmodel", "onnx", "coreml")
NEEDS = {
    "onnx": ("tf2onnx", "onnxruntime"),
    "onnx-int8": ("tf2onnx", "onnxruntime"),
    "coreml": ("coremltools", "onnxruntime"),
}


def needs(name: str) -> None:
    for library in NEEDS.get(name, ()):
        if find_spec(library) is None:
            pytest.skip(f"{library} of the extra `export` is not installed here")


def multiplies_integers_exactly() -> bool:
    """Whether ONNX Runtime does, of eight bits: on x86-64 without VNNI sums of two products overflow sixteen."""
    return platform.machine() != "x86_64" or "vnni" in Path("/proc/cpuinfo").read_text(encoding="utf-8")


def publish(directory: Path, manifest: Manifest, model: bytes, state: RunState | None) -> None:
    """Makes a data directory with a release, and a run where its state is given."""
    with open_database(database_url(directory, None)) as database:
        number = None
        if state is not None:
            runs = RunRecord(database, lambda: NOON)
            number = runs.start(RunStart(manifest.task, manifest.recogniser, "fedavg", 0, {}, 1, "federation"))
            runs.add_round(number, RoundResult(1, "qat", NOON, 1.0, 1.0, 1, 1, 1), state.to_bytes())
        files = {MANIFEST: manifest.encode(), MODEL: model, MODEL_CARD: b"# A release\n"}
        facts = ReleaseFacts(manifest.task, manifest.recogniser, number)
        ReleaseRecord(database, lambda: NOON).publish(releases_in(directory), lambda _: files, facts)


def source_in(directory: Path) -> Source:
    with open_database(database_url(directory, None)) as database:
        return source_of(database, 1, releases_in(directory))


@pytest.fixture(scope="session")
def digits_directory(
    trained_release: tuple[Manifest, bytes],
    trained_arrays: tuple[Any, dict[str, Any], dict[str, Any]],
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    """A data directory with a release of a cnn, of another temperature than 1, and its run."""
    directory = tmp_path_factory.mktemp("digits")
    manifest, model = trained_release
    _, floating, arrays = trained_arrays
    state = RunState(1, arrays, floating=floating, calibrated=arrays, model=Model("cnn", manifest.alphabet.names, 28))
    publish(directory, replace(manifest, temperature=1.7), model, state)
    return directory


@pytest.fixture(scope="session")
def words_directory(trained_release: tuple[Manifest, bytes], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory with a release of a tcn, of which the statistics and ranges alone were learnt, and its run."""
    directory = tmp_path_factory.mktemp("words")
    drawn = texts(32, 32, seed=3)[..., 0]
    samples = Samples(drawn, np.zeros((32, 1), np.int32), np.full(32, drawn.shape[2], np.int32))
    trainer = Trainer("tcn", 10, seed=0, height=32)
    floating = trainer.initial()
    floating |= trainer.measure_statistics(floating, samples)
    arrays = floating | trainer.calibrate(floating, samples)
    model = to_int8(trainer.quantized_model(arrays))
    manifest = replace(
        trained_release[0],
        task="words",
        kind="words",
        recogniser="tcn",
        geometry=Geometry(32, None, 1),
        normalisation=strips.VERSION,
        temperature=0.8,
        model=File.of(model),
        weights_sha256=weights_sha256(arrays),
        self_test=check_conversion(trainer, arrays, model),
    )
    trained = {name: array + 1 for name, array in arrays.items()}  # what was calibrated read better
    state = RunState(1, trained, floating=floating, calibrated=arrays, model=Model("tcn", manifest.alphabet.names, 32))
    publish(directory, manifest, model, state)
    return directory


@pytest.fixture(scope="session")
def exported(
    digits_directory: Path, words_directory: Path, digits: Dataset, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str, str], Path]:
    """Exports the release of digits or of words, each format once."""
    made: dict[tuple[str, str], Path] = {}

    def once(which: str, name: str) -> Path:
        needs(name)
        if (which, name) == ("words", "onnx-int8") and not multiplies_integers_exactly():
            pytest.skip("this processor has no VNNI: ONNX Runtime's integers overflow on it, and the export is refused")
        if (which, name) not in made:
            directory, real = (
                (digits_directory, an_even_pick(digits, 300)) if which == "digits" else (words_directory, None)
            )
            target = tmp_path_factory.mktemp("exports") / f"{which}-{name}"
            made[which, name] = export(source_in(directory), FORMATS[name], target, real).directory
        return made[which, name]

    return once


def described(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "EXPORT.json").read_text(encoding="utf-8"))
    return found


def run(*arguments: object) -> Result:
    return CliRunner().invoke(commands, [str(argument) for argument in arguments])


@pytest.mark.parametrize("which", ["digits", "words"])
@pytest.mark.parametrize("name", [*OF_INTEGERS, *OF_FLOATS])
def test_an_export_reads_like_what_it_was_made_of(exported: Callable[[str, str], Path], which: str, name: str) -> None:
    parity = described(exported(which, name))["parity"]
    assert parity["same"] + parity["close"] == parity["pictures"] == (364 if which == "digits" else 64)
    assert parity["against"] == ("the release" if name in OF_INTEGERS else "the float model")
    if name in OF_FLOATS:
        assert parity["largest_difference"] < 1e-4
    if which == "digits":
        assert parity["accuracy"] > 0.8


@pytest.mark.parametrize("name", ["onnx", "onnx-int8"])
def test_an_onnx_file_reads_as_a_plain_script_would_read_with_it(
    exported: Callable[[str, str], Path], digits: Dataset, digits_directory: Path, name: str
) -> None:
    needs(name)
    import onnxruntime

    folder = exported("digits", name)
    said = described(folder)
    session = onnxruntime.InferenceSession(folder / "model.onnx", providers=["CPUExecutionProvider"])
    pictures = (digits.images[:50, :, :, None] / 255).astype(np.float32)
    logits, probabilities = session.run(["logits", "probabilities"], {said["input"]["name"]: pictures})
    assert [said["input"]["name"]] == [each.name for each in session.get_inputs()]
    assert np.allclose(probabilities, softmax(logits / np.float32(said["temperature"])), atol=1e-6)
    alone = [session.run(["logits"], {"pictures": pictures[row : row + 1]})[0] for row in range(50)]
    assert np.allclose(np.concatenate(alone), logits, atol=1e-4)
    if name == "onnx-int8":
        assert np.array_equal(
            logits.argmax(axis=1),
            Int8Model(source_in(digits_directory).model).logits(digits.images[:50]).argmax(axis=1),
        )


@pytest.mark.parametrize("name", ["onnx", "onnx-int8"])
def test_an_onnx_file_of_texts_takes_any_width_and_any_number(exported: Callable[[str, str], Path], name: str) -> None:
    needs(name)
    import onnxruntime

    session = onnxruntime.InferenceSession(exported("words", name) / "model.onnx", providers=["CPUExecutionProvider"])
    for count, width in ((1, 64), (3, 216)):
        (logits,) = session.run(["logits"], {"pictures": np.zeros((count, 32, width, 1), np.float32)})
        assert logits.shape == (count, width // 4, 11)


@pytest.mark.parametrize("name", ["onnx", "onnx-int8"])
def test_the_sizes_that_may_be_any_have_names(exported: Callable[[str, str], Path], name: str) -> None:
    needs(name)
    import onnxruntime

    session = onnxruntime.InferenceSession(exported("words", name) / "model.onnx")
    assert session.get_inputs()[0].shape == ["n", 32, "width", 1]
    assert session.get_outputs()[0].shape == ["n", "steps", 11]


def test_a_saved_model_lies_in_a_version_as_tensorflow_serving_wants_it(exported: Callable[[str, str], Path]) -> None:
    from handfed.shared.tf.runtime import tf

    folder = exported("digits", "savedmodel")
    assert (folder / "1" / "saved_model.pb").is_file()
    signature = tf.saved_model.load(str(folder / "1")).signatures["serving_default"]
    _, named = signature.structured_input_signature
    assert {name: (each.dtype.name, each.shape.as_list()) for name, each in named.items()} == {
        "pictures": ("float32", [None, 28, 28, 1])
    }


def test_the_release_is_copied_byte_by_byte(exported: Callable[[str, str], Path], digits_directory: Path) -> None:
    folder = exported("digits", "tflite")
    for path in (releases_in(digits_directory) / "0001").iterdir():
        assert (folder / path.name).read_bytes() == path.read_bytes()
    quantization = described(folder)["input"]
    assert quantization["dtype"] == "int8"
    assert quantization["scale"] == pytest.approx(1 / 255)
    assert quantization["zero_point"] == -128


@pytest.mark.parametrize(("which", "name"), [("digits", "onnx"), ("words", "onnx"), ("words", "onnx-int8")])
def test_the_description_says_what_the_file_cannot(exported: Callable[[str, str], Path], which: str, name: str) -> None:
    from handfed.shared.files import sha256_of

    folder = exported(which, name)
    said = described(folder)
    (file,) = said["files"]
    assert sha256_of((folder / file["path"]).read_bytes()) == file["sha256"]
    assert "".join(said["alphabet"]) == "0123456789"
    assert (said["blank"], said["columns_a_step"]) == ((None, None) if which == "digits" else (10, 4))
    assert said["temperature"] == (1.7 if which == "digits" else 0.8)
    assert said["source"]["model"] == ("float" if name == "onnx" else "int8")


def test_every_field_of_the_description_is_documented(exported: Callable[[str, str], Path]) -> None:
    from handfed.server.releases.exports import formats

    assert formats.__doc__ is not None
    for field in described(exported("digits", "tflite")):
        assert f"    {field}" in formats.__doc__ or f", {field}" in formats.__doc__, field


@pytest.mark.parametrize("name", OF_FLOATS)
def test_without_its_run_a_release_has_no_float_model(digits_directory: Path, tmp_path: Path, name: str) -> None:
    alone = replace(source_in(digits_directory), state=None)
    with pytest.raises(
        SettingError, match="release 1 has no float model: run 1, which made it, is not here; tflite and"
    ):
        export(alone, FORMATS[name], tmp_path / "export")
    assert not list(tmp_path.iterdir())


def test_a_checkpoint_of_other_arrays_is_not_taken_for_the_releases(digits_directory: Path, tmp_path: Path) -> None:
    source = source_in(digits_directory)
    assert source.state is not None
    changed = {name: array + 1 for name, array in source.state.arrays.items()}
    other = replace(source, state=replace(source.state, arrays=changed, calibrated=changed))
    with pytest.raises(SettingError, match="release 1 was not made of what run 1 has on record here"):
        export(other, FORMATS["savedmodel"], tmp_path / "export")


def test_a_release_without_its_run_is_exported_in_integers(
    trained_release: tuple[Manifest, bytes], tmp_path: Path
) -> None:
    manifest, model = trained_release
    publish(tmp_path / "data", manifest, model, None)
    export(source_in(tmp_path / "data"), FORMATS["tflite"], tmp_path / "export")
    assert described(tmp_path / "export")["parity"]["real"] == 0


def test_a_file_that_reads_otherwise_is_refused_and_leaves_nothing(
    digits_directory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    needs("onnx")
    from handfed.server.releases.exports import onnx_files

    right = onnx_files.with_named_sizes
    monkeypatch.setattr(  # of a run whose weights were damaged on their way
        onnx_files, "with_named_sizes", lambda content, **options: _with_other_weights(right(content, **options))
    )
    with pytest.raises(
        ReleaseRefusedError, match=r"pictures otherwise than the model it was made of .* at least 99\.9%"
    ):
        export(source_in(digits_directory), FORMATS["onnx"], tmp_path / "export")
    assert not list(tmp_path.iterdir())


def _with_other_weights(content: bytes) -> bytes:
    import onnx
    from onnx import numpy_helper

    model = onnx.load_from_string(content)
    largest = max(model.graph.initializer, key=lambda each: len(each.raw_data))
    largest.CopyFrom(numpy_helper.from_array(-numpy_helper.to_array(largest), largest.name))
    return bytes(model.SerializeToString())


def test_nothing_is_overwritten_but_an_export_by_force(digits_directory: Path, tmp_path: Path) -> None:
    source, target = source_in(digits_directory), tmp_path / "export"
    target.mkdir()
    (target / "thesis.txt").write_text("of years")
    for force in (False, True):
        with pytest.raises(SettingError, match="is there already" if not force else "is no export"):
            export(source, FORMATS["tflite"], target, force=force)
    (target / "EXPORT.json").write_text("{}")
    export(source, FORMATS["tflite"], target, force=True)
    assert not (target / "thesis.txt").exists()
    assert described(target)["release"] == 1
    assert [path.name for path in tmp_path.iterdir()] == ["export"]


def test_an_export_that_cannot_take_its_place_leaves_the_old_one(
    digits_directory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, target = source_in(digits_directory), tmp_path / "export"
    export(source, FORMATS["tflite"], target)
    before, rename = sorted(target.iterdir()), Path.rename

    def break_off(self: Path, to: Path) -> Path:
        if to == target and "EXPORT.json" in {path.name for path in self.iterdir()} and not broken:
            broken.append(self)
            raise OSError(28, "No space left on device")
        return rename(self, to)

    broken: list[Path] = []
    monkeypatch.setattr(Path, "rename", break_off)
    with pytest.raises(StorageError, match="No space left"):
        export(source, FORMATS["tflite"], target, force=True)
    assert sorted(target.iterdir()) == before
    assert [path.name for path in tmp_path.iterdir()] == ["export"]


def test_the_command_exports_and_says_how_it_reads(
    digits_directory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    arguments = ("export", 1, "--format", "tflite", "--data-dir", digits_directory, "--images", 100)
    result = run(*arguments)
    assert result.exit_code == 0, result.output
    assert "Release 1 as tflite\n" in result.stdout
    assert str(tmp_path / "handfed-release-0001-tflite") in result.stdout
    assert isinstance(run(*arguments).exception, SettingError)
    found = json.loads(run(*arguments, "--force", "--json").stdout)
    assert found["export"] == described(tmp_path / "handfed-release-0001-tflite")


def test_an_unknown_format_or_release_says_what_there_is(digits_directory: Path) -> None:
    error = run("export", 1, "--format", "pickle", "--data-dir", digits_directory).exception
    assert isinstance(error, HandfedError)
    assert "choose one of: tflite, savedmodel, onnx, onnx-int8, coreml" in str(error)
    assert "there are 1" in str(run("export", 7, "--format", "onnx", "--data-dir", digits_directory).exception)


def test_a_converter_that_is_not_installed_is_named_with_its_extra(
    digits_directory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "tf2onnx", None)
    with pytest.raises(MissingExtraError, match=r"tf2onnx.* is not installed here: .*handfed-server\[export\]"):
        export(source_in(digits_directory), FORMATS["onnx"], tmp_path / "export")
    assert not list(tmp_path.iterdir())


def examples() -> list[str]:
    page = (ROOT / "docs" / "export.md").read_text(encoding="utf-8")
    return re.findall(r"```python\n(.*?)```", page, re.DOTALL)


def test_the_script_of_the_page_reads_a_digit(
    exported: Callable[[str, str], Path],
    digits: Dataset,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (example,) = [each for each in examples() if "import onnxruntime" in each]
    (tmp_path / "handfed-release-0003-onnx-int8").symlink_to(exported("digits", "onnx-int8"))
    Image.fromarray(255 - np.kron(digits.images[0], np.ones((4, 4), np.uint8))).save(tmp_path / "scan.png")
    monkeypatch.chdir(tmp_path)
    exec(compile(example, "export.md", "exec"), {})  # noqa: S102 - our own page
    text, probability = capsys.readouterr().out.split()
    assert text in "0123456789"
    assert 0 < float(probability) <= 1


def test_the_rows_that_the_page_sends_to_tensorflow_serving_fit_the_signature(
    exported: Callable[[str, str], Path], digits: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from handfed.shared.tf.interchange import SavedModel

    (example,) = [each for each in examples() if "request.json" in each]
    Image.fromarray(255 - np.kron(digits.images[0], np.ones((4, 4), np.uint8))).save(tmp_path / "scan.png")
    monkeypatch.chdir(tmp_path)
    exec(compile(example, "export.md", "exec"), {})  # noqa: S102 - our own page
    rows = json.loads((tmp_path / "request.json").read_text())["instances"]
    logits, probabilities = SavedModel(exported("digits", "savedmodel") / "1")(np.array(rows, np.float32))
    assert logits.shape == probabilities.shape == (1, 10)
    assert np.allclose(probabilities.sum(), 1)


def test_the_page_says_of_every_format_what_it_is_for() -> None:
    page = (ROOT / "docs" / "export.md").read_text(encoding="utf-8")
    assert all(f"| `{name}` |" in page for name in FORMATS)


@pytest.mark.parametrize("part", ["clients", "shared"])
def test_no_converter_reaches_what_a_device_installs(part: str) -> None:
    project = tomllib.loads((ROOT / part / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = [
        *project["dependencies"],
        *(each for extra in project["optional-dependencies"].values() for each in extra),
    ]
    names = {re.match(r"[a-z0-9-]+", each.lower())[0] for each in wanted}  # type: ignore[index]
    assert not names & {"tf2onnx", "onnx", "onnxruntime", "coremltools", "handfed-server"}
    assert {name for name in names if name.startswith("handfed-")} <= {"handfed-clients", "handfed-shared"}
