"""Exporting a release: convert, let the file read beside what it was made of, and only then give its folder the name.

Rules:
1. The folder is built beside its place under a hidden name and renamed when every byte is on the disk, so what has the
   name is whole and was checked. What is refused leaves nothing.
2. What is there is never overwritten, and by `force` only if it is an export.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from handfed.server.releases import selftest
from handfed.server.releases.exports.formats import DESCRIPTION, Format, described
from handfed.server.releases.exports.parity import OF_FLOATS, OF_INTEGERS, Agreement, Reads, check, compare
from handfed.server.releases.exports.source import Source
from handfed.shared.datasets import Dataset
from handfed.shared.errors import SettingError, StorageError
from handfed.shared.files import sync_directory
from handfed.shared.litert import Int8Model, softmax
from handfed.shared.manifest import BROWSER_MODEL, MANIFEST, MODEL, MODEL_CARD, Manifest
from handfed.shared.recognisers import family
from handfed.shared.samples import Samples
from handfed.shared.transcripts import Transcripts

_SYNTHETIC: Final = 64
_FOREIGN: Final = -1  # of what was written, a class that the release does not know
Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Exported:
    """What was written.

    Attributes:
        directory: The folder.
        description: Its `EXPORT.json`.
    """

    directory: Path
    description: dict[str, Any]


def export(source: Source, of: Format, target: Path, real: Dataset | None = None, *, force: bool = False) -> Exported:
    """Exports a release.

    Args:
        source: The release.
        of: The format.
        target: The folder to write.
        real: Handwriting to compare by; None for synthetic pictures alone.
        force: Whether an export that is there gives way.

    Raises:
        MissingExtraError: What converts or reads the format is not installed.
        ReleaseRefusedError: The file does not read like what it was made of; nothing was written.
        SettingError: The target is there already, or the release cannot be exported so.
        StorageError: The target cannot be written.
    """
    _check_target(target, force=force)
    building = target.parent / f".{target.name}.{secrets.token_hex(4)}"
    try:
        building.mkdir(parents=True)
        try:
            reference, exported, computed_by = _write(source, of, building)
            parity = _compare(source, of, reference, exported, real)
            parity["computed_by"] = computed_by
            description = described(source.manifest, of, parity, building)
            text = json.dumps(description, indent=2, ensure_ascii=False, allow_nan=False)
            (building / DESCRIPTION).write_text(text + "\n", encoding="utf-8")
            _sync(building)
            _take_place(building, target)
        except BaseException:
            shutil.rmtree(building, ignore_errors=True)
            raise
    except OSError as error:
        raise StorageError(f"cannot write {target}: {error.strerror}; free space or choose another folder") from error
    return Exported(target, description)


def _check_target(target: Path, *, force: bool) -> None:
    if not os.path.lexists(target):
        return
    if not force:
        raise SettingError(f"{target} is there already; name another folder with --out, or give --force")
    if not (target / DESCRIPTION).is_file():
        raise SettingError(
            f"{target} is no export (it has no {DESCRIPTION}), and is left as it is; name another folder"
        )


def _take_place(building: Path, target: Path) -> None:
    """Gives the folder its name; an export that has it goes when the new one is there."""
    aside = target.parent / f".{target.name}.{secrets.token_hex(4)}"
    replaced = target.exists()
    if replaced:
        target.rename(aside)
    try:
        building.rename(target)
    except BaseException:
        if replaced:
            aside.rename(target)
        raise
    sync_directory(target.parent)
    if replaced:
        shutil.rmtree(aside, ignore_errors=True)


def _sync(directory: Path) -> None:
    for path in directory.rglob("*"):
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
    sync_directory(directory)


def _write(source: Source, of: Format, directory: Path) -> tuple[Reads, Reads, str]:
    """Writes the files of an export; gives what they were made of, what was written, and what computes that here."""
    path = directory / of.file.format(release=source.manifest.release)
    temperature = source.manifest.temperature
    if not of.floating:
        release = Int8Model(source.model)
        if of.name == "tflite":
            exported = _copy(source, directory)
            return _integers(release, temperature), _integers(exported, temperature), "LiteRT"
        from handfed.server.releases.exports.onnx_files import read_onnx, with_signature
        from handfed.shared.tf.interchange import int8_to_onnx

        content = int8_to_onnx(source.directory / MODEL)
        path.write_bytes(with_signature(content, *release.quantization, temperature, of_texts=release.reads_texts))
        return _integers(release, temperature), _levels(read_onnx(path)), "ONNX Runtime"
    trainer, arrays = source.floating()

    def floats(pictures: NDArray[np.uint8]) -> tuple[Floats, Floats]:
        logits = trainer.logits(arrays, pictures, quantized=False)
        logits = logits[:, 0] if logits.ndim > 2 else logits  # noqa: PLR2004 - of texts (n, 1, steps, classes + 1)
        return logits, softmax(logits / np.float32(temperature))

    exported_floats, computed_by = _write_floats(of, trainer.float_model(arrays), source.manifest, path)
    return floats, exported_floats, computed_by


def _write_floats(of: Format, model: Any, manifest: Manifest, path: Path) -> tuple[Reads, str]:  # noqa: ANN401
    """Writes a float model; gives what was written, and what computes it here."""
    from handfed.shared.tf import interchange

    if of.name == "savedmodel":
        interchange.write_saved_model(model, manifest.temperature, path)
        return _levels(interchange.SavedModel(path)), "TensorFlow"
    if of.name == "coreml":
        interchange.write_core_ml(model, manifest.temperature, path)
        from handfed.server.releases.exports.core_ml import HERE, CoreMl

        return _levels(CoreMl(path)), HERE
    from handfed.server.releases.exports.onnx_files import read_onnx, with_named_sizes

    content = interchange.to_onnx(model, manifest.temperature)
    path.write_bytes(with_named_sizes(content, of_texts=manifest.geometry.width is None))
    return _levels(read_onnx(path)), "ONNX Runtime"


def _copy(source: Source, directory: Path) -> Int8Model:
    """Copies the release's own files, byte by byte."""
    for name in (MODEL, BROWSER_MODEL, MANIFEST, MODEL_CARD):
        path = source.directory / name
        if path.is_file():
            (directory / name).write_bytes(path.read_bytes())
    return Int8Model(directory / MODEL)


def _integers(model: Int8Model, temperature: float) -> Reads:
    def read(pictures: NDArray[np.uint8]) -> tuple[Floats, Floats]:
        logits = model.logits(pictures)
        return logits, softmax(logits / np.float32(temperature))

    return read


def _levels(model: Any) -> Reads:  # noqa: ANN401 - what reads float pictures, of three kinds
    """What reads float pictures in 0..1, given grey levels."""
    return lambda pictures: model(pictures.astype(np.float32) / np.float32(255))


def _compare(source: Source, of: Format, reference: Reads, exported: Reads, real: Dataset | None) -> dict[str, Any]:
    """Compares, and refuses what does not agree; gives what `EXPORT.json` says of it."""
    manifest = source.manifest
    columns = family(manifest.recogniser).columns
    bounds = OF_FLOATS if of.floating else OF_INTEGERS
    release = Int8Model(source.model)
    close = 0.0 if of.floating else manifest.self_test.tolerance
    drawn = _synthetic(manifest, release)
    found = Agreement()
    for samples in (drawn,) if real is None else (drawn, real.samples):
        found += compare(reference, exported, samples, columns=columns, close=close, temperature=manifest.temperature)
    check(found, bounds)
    said: dict[str, Any] = {
        "against": "the float model" if of.floating else "the release",
        **found.as_json(),
        "synthetic": len(drawn),
        "real": 0 if real is None else len(real),
        "data": None if real is None else real.name,
    }
    if real is not None:
        said["accuracy"] = _accuracy(exported, real, manifest, columns)
        said["accuracy_release"] = _accuracy(_integers(release, manifest.temperature), real, manifest, columns)
    return said


def _synthetic(manifest: Manifest, release: Int8Model) -> Samples:
    """The pictures of the self-test's kind, as samples without meaning."""
    if not release.reads_texts:
        seen = selftest.pictures(_SYNTHETIC, release.channels, seed=manifest.release)
        planes = seen[..., 1:] if release.channels > 1 else None
        return Samples(seen[..., 0], np.zeros(len(seen), np.int32), planes=planes)
    drawn = selftest.texts(_SYNTHETIC, release.height, seed=manifest.release)[..., 0]
    return Samples(drawn, np.zeros((len(drawn), 1), np.int32), np.full(len(drawn), drawn.shape[2], np.int32))


def _accuracy(reads: Reads, real: Dataset, manifest: Manifest, columns: int) -> float:
    """Of characters read right, a fraction."""
    from handfed.shared import ctc

    place = {name: position for position, name in enumerate(manifest.alphabet.names)}
    known = [place.get(name, _FOREIGN) for name in real.alphabet.names]
    found: list[list[int]] = [[]] * len(real)
    for rows, part in real.samples.batches(_SYNTHETIC):
        logits, _ = reads(part.pictures)
        texts = ctc.best_path(logits, part.steps(columns)) if columns else logits.argmax(axis=1)[:, None].tolist()
        for row, text in zip(rows, texts, strict=True):
            found[row] = text
    return Transcripts([[known[label] for label in text] for text in real.samples.written()], found).accuracy


def an_even_pick(dataset: Dataset, count: int) -> Dataset:
    """At most so many samples, from all of the data set alike."""
    if len(dataset) <= count:
        return dataset
    rows = np.linspace(0, len(dataset) - 1, count).round().astype(np.int64)
    return replace(dataset.take(rows), name=dataset.name)
