"""`handfed recognise` and `handfed evaluate`: what a device does with a release.

`handfed recognise --json` prints an object of:

    release      the release's number, or null of a bare .tflite file
    readings     for each image, in order, {"image", "text", "confidence", "alternatives": [{"text", "probability"}]};
                 or {"image", "error"} of one that cannot be read, and then the exit status is 2

With `--boxes`, {"image", "text", "boxes": [{"box", "text", "confidence", "alternatives"}]} for each image: the box is
[left, top, right, bottom] in the picture's pixels, right and bottom just outside; boxes are in reading order, and the
text is that of the lines, one a line. A blank page has no boxes and an empty text.

`handfed evaluate --json` prints an object of:

    release, data            the release's number or null, the data set's name
    samples, accuracy        how many images, and the fraction of their characters that was read right
    cer, wer                 character and word error rates, of words and lines only
    writers                  {"count", "p10", "median", "p90", "worst_decile", "gini"} of accuracy over writers;
                             null if unknown
    latency_ms_median        to read one image, one thread
    size_bytes               of the model file
    images_per_second        in batches, with `threads` threads
    classes                  [{"name", "samples", "accuracy"}], of those that the data has
    confusions               [{"label", "reading", "count"}], most frequent first

Rates are fractions from 0 to 1. JSON is in ASCII.
"""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from handfed.shared import data_directory

if TYPE_CHECKING:
    from handfed.clients.edge.detection import BoxReading, PageReading
    from handfed.clients.edge.recogniser import Reading, Recogniser
    from handfed.shared.errors import ImageError

DataDir = Annotated[
    Path | None,
    typer.Option("--data-dir", help="Where releases are. [HANDFED_DATA_DIR, or ./handfed-data]", show_default=False),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")]

_MANY: Final = 50  # images from which on a bar is worth its while


def recognise(
    images: Annotated[
        list[Path],
        typer.Argument(metavar="IMAGE...", help="Pictures of a character, a word or a line; or of pages (--boxes)."),
    ],
    release: Annotated[
        str | None,
        typer.Option(
            help="Number of a release, its directory, or a .tflite file. Default: the newest.", show_default=False
        ),
    ] = None,
    data_dir: DataDir = None,
    alternatives: Annotated[int, typer.Option(help="How many other readings to show.", min=0)] = 3,
    lexicon: Annotated[
        Path | None,
        typer.Option(help="Of words and lines: a text file of the words to expect.", show_default=False),
    ] = None,
    language_model: Annotated[
        Path | None,
        typer.Option(
            help="Of words and lines: n-grams of characters (.arpa), or a text like those to read.", show_default=False
        ),
    ] = None,
    boxes: Annotated[bool, typer.Option("--boxes", help="Find all characters of each picture, and read each.")] = False,
    boxes_picture: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.png", help="Draw the boxes of one picture here. Implies --boxes.", show_default=False
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Read pictures of handwritten characters, words or lines."""
    from handfed.shared.errors import ImageError, SettingError

    if boxes_picture is not None and len(images) > 1:
        raise SettingError(f"--boxes-picture draws one picture, and {len(images)} are named; name one")
    recogniser = _open(release, data_dir, threads=1)
    of_texts, of_pages = recogniser.task.of_texts, boxes or boxes_picture is not None
    if of_pages and of_texts:
        raise SettingError(f"--boxes finds characters, and the release reads {recogniser.task.kind}; leave it out")
    if lexicon or language_model:
        from handfed.clients.edge.decoders import decoder

        if not of_texts:
            raise SettingError("the release reads single characters; leave --lexicon and --language-model out")
        recogniser.decoder = decoder(recogniser.alphabet, lexicon, language_model)
    read = partial(_read, recogniser, alternatives, boxes=of_pages, draw_to=boxes_picture)
    found: list[tuple[Path, Reading | PageReading | ImageError]] = []
    if as_json:
        found.extend((image, read(image)) for image in images)
        print(json.dumps({"release": recogniser.release, "readings": [_as_json(*each) for each in found]}))
    else:
        from handfed.clients.edge import tables
        from handfed.clients.edge.detection import PageReading
        from handfed.clients.edge.recogniser import Reading

        errors = tables.error_console()
        with tables.progress(errors, len(images), shown=errors.is_terminal and len(images) >= _MANY) as advance:
            for image in images:
                reading = read(image)
                found.append((image, reading))
                if isinstance(reading, ImageError):
                    tables.print_error(errors, reading)
                advance(1)
        to = tables.console()
        tables.print_readings(to, [(image, reading) for image, reading in found if isinstance(reading, Reading)])
        tables.print_pages(to, [(image, page) for image, page in found if isinstance(page, PageReading)])
    if any(isinstance(reading, ImageError) for _, reading in found):
        raise typer.Exit(ImageError.exit_status)


def evaluate(
    release: Annotated[str, typer.Argument(help="Number of a release, its directory, or a .tflite file.")],
    data: Annotated[str, typer.Argument(help="A name from `handfed data list`, or a path.")],
    data_dir: DataDir = None,
    threads: Annotated[int, typer.Option(help="Threads that read batches; latency is of one.", min=1, max=256)] = 1,
    confusions: Annotated[int, typer.Option(help="How many confusions to show.", min=0)] = 10,
    as_json: AsJson = False,
) -> None:
    """Measure how well and how fast a release reads a data set."""
    recogniser = _open(release, data_dir, threads=threads)
    alone = recogniser if threads == 1 else _open(release, data_dir, threads=1)
    from handfed.clients.datasets import read
    from handfed.clients.edge import evaluation, tables

    errors = tables.error_console()
    shown = errors.is_terminal and not as_json
    with tables.waiting(errors, f"reading {data}", shown=shown):
        dataset = read(data, recogniser.task, ",".join(recogniser.inputs), need_strokes=False)
    with tables.progress(errors, len(dataset), shown=shown) as advance:
        result = evaluation.evaluate(recogniser, dataset, threads=threads, alone=alone, advance=advance)
    if as_json:
        print(json.dumps(result.as_json(confusions), allow_nan=False))
    else:
        tables.print_evaluation(tables.console(), result, confusions)


def _open(release: str | None, data_dir: Path | None, *, threads: int) -> Recogniser:
    """Opens a release and, as the processor is perhaps a new one, tests it."""
    from handfed.clients.edge import releases
    from handfed.clients.edge.recogniser import Recogniser

    directory = data_directory.locate(data_dir)
    path = releases.newest(directory) if release is None else releases.find(release, directory)
    recogniser = Recogniser.open(path, threads=threads)
    if recogniser.manifest is not None:
        recogniser.self_test()
    return recogniser


def _read(
    recogniser: Recogniser, alternatives: int, image: Path, *, boxes: bool, draw_to: Path | None
) -> Reading | PageReading | ImageError:
    """Reads a picture; an error is returned, so that one picture does not end the reading of others."""
    from handfed.clients.edge.pictures import read_picture
    from handfed.shared.errors import ImageError

    try:
        picture = read_picture(image, where=str(image))
    except ImageError as error:
        return error
    try:
        if not boxes:
            return recogniser.read(picture, alternatives=alternatives)
        from handfed.clients.edge.detection import read_page

        page = read_page(recogniser, picture, alternatives=alternatives)
    except ImageError as error:
        return ImageError(f"{image}: {error}")
    if draw_to is not None:
        from handfed.clients.edge.detection.drawing import draw
        from handfed.shared.files import write_atomically

        write_atomically(draw_to, draw(picture, page.boxes))
    return page


def _as_json(image: Path, reading: Reading | PageReading | ImageError) -> dict[str, Any]:
    if isinstance(reading, Exception):
        return {"image": str(image), "error": str(reading)}
    from handfed.clients.edge.recogniser import Reading

    if isinstance(reading, Reading):
        return {"image": str(image), **_reading_as_json(reading)}
    boxes = [{"box": list(each.box), **_reading_as_json(each)} for each in reading.boxes]
    return {"image": str(image), "text": reading.text, "boxes": boxes}


def _reading_as_json(reading: Reading | BoxReading) -> dict[str, Any]:
    return {
        "text": reading.text,
        "confidence": round(reading.confidence, 6),
        "alternatives": [
            {"text": text, "probability": round(probability, 6)} for text, probability in reading.alternatives
        ],
    }
