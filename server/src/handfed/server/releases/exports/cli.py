"""`handfed releases export`: a release in a format of others, checked before it is written.

`--json` prints an object of `directory`, where it was written, and `export`, its `EXPORT.json`
(`handfed.server.releases.exports.formats`).
"""

from __future__ import annotations

from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from handfed.server import terminal, wording
from handfed.server.terminal import AsJson, Choices, DatabaseUrl, DataDir
from handfed.shared import data_directory

if TYPE_CHECKING:
    from handfed.server.releases.exports.service import Exported
    from handfed.shared.datasets import Dataset
    from handfed.shared.manifest import Manifest

READERS: Final = "handfed.readers"  # entry points; `datasets` reads handwriting by name or path
_ALWAYS_THERE: Final = "mnist5k"  # real digits, where simulations are installed


def export(
    context: typer.Context,
    release: Annotated[int, typer.Argument(help="Number of the release.", show_default=False)],
    format_name: Annotated[
        str, typer.Option("--format", help="tflite, savedmodel, onnx, onnx-int8 or coreml.", show_default=False)
    ],
    out: Annotated[
        Path | None, typer.Option(help="Folder to write. [./handfed-release-NUMBER-FORMAT]", show_default=False)
    ] = None,
    data: Annotated[
        str | None,
        typer.Option(
            help="Handwriting to compare by: a name of `handfed data list`, or a path. Of digits, mnist5k is taken."
        ),
    ] = None,
    images: Annotated[int, typer.Option(help="How many of its samples to compare by, at most.", min=1)] = 1000,
    force: Annotated[bool, typer.Option("--force", help="Replace an export that is there.")] = False,
    data_dir: DataDir = None,
    database: DatabaseUrl = None,
    as_json: AsJson = False,
) -> None:
    """Export a release: TensorFlow Serving, ONNX Runtime, TensorRT, Android, iOS.

    The file reads real and synthetic pictures beside the model it was made of; where it reads otherwise, nothing is
    written and the exit status is 1.
    """
    from handfed.server.releases.exports.formats import format_named
    from handfed.server.releases.schemas import UnknownReleaseError

    of = format_named(format_name)
    choices = Choices(data_dir, database, as_json).over(context.obj)
    opened = choices.open()
    if opened is None:
        raise UnknownReleaseError(release, ())
    from handfed.server.releases.exports import service
    from handfed.server.releases.exports.source import source_of

    with opened:
        source = source_of(opened, release, data_directory.releases_in(choices.directory))
    real = _handwriting(source.manifest, data)
    if real is not None:
        real = service.an_even_pick(real, images)
    target = (out or Path(f"handfed-release-{release:04d}-{of.name}")).expanduser()
    exported = service.export(source, of, target, real, force=force)
    if choices.as_json:
        terminal.print_json({"directory": str(exported.directory), "export": exported.description})
    else:
        _show(exported)


def _handwriting(manifest: Manifest, data: str | None) -> Dataset | None:
    """Handwriting to compare by; None where none is named and none is always there."""
    digits = manifest.kind == "characters" and set("0123456789") <= set(manifest.alphabet.names)
    if data is None and not (digits and _ALWAYS_THERE in entry_points(group="handfed.datasets").names):
        return None
    from handfed.shared.errors import MissingExtraError
    from handfed.shared.tasks import Task

    readers = entry_points(group=READERS, name="datasets")
    if not readers:
        if data is None:
            return None
        raise MissingExtraError("what reads handwriting", "handfed-clients[edge]")
    (reader, *_) = readers
    task = Task(manifest.task, manifest.kind, recogniser=manifest.recogniser, height=manifest.geometry.height)
    found: Dataset = reader.load()(data or _ALWAYS_THERE, task, ",".join(manifest.inputs), need_strokes=False)
    return found


def _show(exported: Exported) -> None:
    console = terminal.console()
    said, parity = exported.description, exported.description["parity"]
    heading = f"Release {said['release']} as {said['export']}"
    terminal.print_section(console, heading, _facts(said, parity))
    console.print(f"folder              {exported.directory.absolute()}", soft_wrap=True)
    if parity["real"]:
        console.print("Accuracies are no verdict: the release may have been trained on these pictures.", style="dim")
    else:
        console.print("No real handwriting was read: name some with --data.", style="yellow")


def _facts(said: dict[str, Any], parity: dict[str, Any]) -> list[tuple[str, str]]:
    close = f", {parity['close']:,} more too close to call" if parity["close"] else ""
    facts = [
        ("size", wording.megabytes(sum(file["size_bytes"] for file in said["files"]))),
        ("computed by", parity["computed_by"]),
        ("pictures", f"{parity['real']:,} of {parity['data'] or 'handwriting'}, {parity['synthetic']:,} synthetic"),
        ("read alike", f"{parity['same']:,} of {parity['pictures']:,}, as {parity['against']}{close}"),
        ("largest difference", f"{parity['largest_difference']:.6f} of a probability"),
    ]
    if "accuracy" in parity:
        beside = f"{wording.percent(parity['accuracy'])}, of the release {wording.percent(parity['accuracy_release'])}"
        facts.append(("accuracy", beside))
    return facts
