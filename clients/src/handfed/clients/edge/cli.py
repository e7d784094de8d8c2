"""`handfed recognise` and `handfed evaluate`: what a device does with a release.

`handfed recognise --json` prints an object of:

    release      the release's number, or null of a bare .tflite file
    readings     for each image, in order, {"image", "text", "confidence", "alternatives": [{"text", "probability"}]};
                 or {"image", "error"} of one that cannot be read, and then the exit status is 2. "confirm" is the id of
                 a reading that the device picked at random to have it confirmed (docs/feedback.md)

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
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, TypeAlias

import typer

from handfed.shared import data_directory

if TYPE_CHECKING:
    from handfed.clients.device.store.picks import Picks
    from handfed.clients.edge.answers import Question
    from handfed.clients.edge.detection import PageReading
    from handfed.clients.edge.recogniser import Reading, Recogniser
    from handfed.shared.errors import ImageError

    Found: TypeAlias = Reading | PageReading | ImageError

DataDir = Annotated[
    Path | None,
    typer.Option("--data-dir", help="Where releases are. [HANDFED_DATA_DIR, or ./handfed-data]", show_default=False),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")]

_MANY: Final = 50  # images from which on a bar is worth its while
_BATCH: Final = 64  # images of characters that are read at once; of more, a batch gains nothing


def recognise(
    images: Annotated[
        list[Path],
        typer.Argument(metavar="IMAGE...", help="Pictures of a character, a word or a line; or of pages (--boxes)."),
    ],
    release: Annotated[
        str | None,
        typer.Option(
            help="Number of a release, its directory, or a .tflite file. Default: the newest of the data directory, or"
            " else what handfed edge pull brought.",
            show_default=False,
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
    threads: Annotated[int, typer.Option(help="Threads that read.", min=1, max=256)] = 1,
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
    recognisers = [_open(release, data_dir, threads=1) for _ in range(min(threads, len(images)))]
    from handfed.clients.edge.answers import Question

    question = Question(alternatives, boxes=boxes or boxes_picture is not None, picks=_picks())
    question.check(recognisers[0])
    if lexicon or language_model:
        _expect(recognisers, lexicon, language_model)
    readings = _readings(recognisers, images, question)
    if as_json:
        found = list(zip(images, readings, strict=True))
        print(json.dumps({"release": recognisers[0].release, "readings": [_as_json(*each) for each in found]}))
    else:
        found = _shown(images, readings)
    if boxes_picture is not None:
        _draw(*found[0], boxes_picture)
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
    from handfed.clients.edge.serving.supply import Source

    return Source.chosen(release, data_directory.locate(data_dir), threads=threads).open()


def _picks() -> Picks | None:
    """What this device picks for confirmation; SQLite is loaded where it keeps handwriting, and not elsewhere."""
    from handfed.clients.device import folder

    device = folder.locate(None)
    if not folder.store_in(device).is_dir():
        return None
    from handfed.clients.edge.feedback import picks_here

    return picks_here(device)


def _expect(recognisers: list[Recogniser], lexicon: Path | None, language_model: Path | None) -> None:
    """Has words and lines read as those of a lexicon, or by a language model."""
    from handfed.clients.edge.decoders import decoder
    from handfed.shared.errors import SettingError

    if not recognisers[0].task.of_texts:
        raise SettingError("the release reads single characters; leave --lexicon and --language-model out")
    expecting = decoder(recognisers[0].alphabet, lexicon, language_model)
    for recogniser in recognisers:
        recogniser.decoder = expecting


def _readings(recognisers: list[Recogniser], images: list[Path], question: Question) -> Iterator[Found]:
    """What is read of each image, in order; with a thread for each recogniser."""
    from handfed.clients.edge.answers import answer_files

    each_alone = question.boxes or recognisers[0].task.of_texts
    size = 1 if each_alone else min(_BATCH, -(-len(images) // len(recognisers)))
    parts = [images[start : start + size] for start in range(0, len(images), size)]
    if len(recognisers) == 1:
        for part in parts:
            yield from answer_files(recognisers[0], part, question)
        return
    from concurrent.futures import ThreadPoolExecutor
    from queue import SimpleQueue

    free: SimpleQueue[Recogniser] = SimpleQueue()
    for recogniser in recognisers:
        free.put(recogniser)

    def answers(part: list[Path]) -> list[Found]:
        recogniser = free.get()
        try:
            return answer_files(recogniser, part, question)
        finally:
            free.put(recogniser)

    with ThreadPoolExecutor(len(recognisers)) as pool:
        for found in pool.map(answers, parts):
            yield from found


def _shown(images: list[Path], readings: Iterator[Found]) -> list[tuple[Path, Found]]:
    """Shows readings to a person: errors and how far it is on the way, the rest in the end."""
    from handfed.clients.edge import tables
    from handfed.clients.edge.recogniser import Reading
    from handfed.shared.errors import ImageError

    found: list[tuple[Path, Found]] = []
    pages: list[tuple[Path, PageReading]] = []
    single: list[tuple[Path, Reading]] = []
    errors = tables.error_console()
    with tables.progress(errors, len(images), shown=errors.is_terminal and len(images) >= _MANY) as advance:
        for image, reading in zip(images, readings, strict=True):
            found.append((image, reading))
            if isinstance(reading, ImageError):
                tables.print_error(errors, reading)
            elif isinstance(reading, Reading):
                single.append((image, reading))
            else:
                pages.append((image, reading))
            advance(1)
    to = tables.console()
    tables.print_readings(to, single)
    tables.print_pages(to, pages)
    return found


def _draw(image: Path, found: Found, to: Path) -> None:
    """Draws the boxes of a page, if it was read."""
    from handfed.clients.edge.detection import PageReading

    if isinstance(found, PageReading):
        from handfed.clients.edge.detection.drawing import draw
        from handfed.clients.edge.pictures import read_picture
        from handfed.shared.files import write_atomically

        write_atomically(to, draw(read_picture(image, where=str(image)), found.boxes))


def _as_json(image: Path, found: Found) -> dict[str, Any]:
    if isinstance(found, Exception):
        return {"image": str(image), "error": str(found)}
    from handfed.clients.edge.answers import as_json

    return {"image": str(image), **as_json(found)}
