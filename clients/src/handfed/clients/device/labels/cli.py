"""`handfed device review`: a second look at labels that are doubtful.

`--json` prints an object of waiting: a list of number, label, reading (null of an import), doubt (`contradicted`, `same
key` or `unlikely`), writer (the store's number) and source. After `--judge` also of judged and changed, and where
something was settled of accepted, relabelled and dropped, counts.

Exit status: 0 done, 2 a number waits for no second look or the label is none, and nothing was settled, 1 the store is
locked or cannot be used.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from handfed.clients.device.store.cli import AsJson, DataDir, open_store
from handfed.shared.printable import printable

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from handfed.clients.device.labels.review import Doubtful
    from handfed.clients.device.store.store import Store

_COLUMNS: Final = 12  # of a sheet
_ENLARGED: Final = 3
_GAP: Final = 16  # pixels, for the number below a picture
_INK: Final = 64
_SHOWN: Final = 20


def review(
    *,
    accept: Annotated[
        list[int] | None, typer.Option(metavar="NUMBER", help="Take a label for right.", show_default=False)
    ] = None,
    relabel: Annotated[
        list[str] | None,
        typer.Option(metavar="NUMBER=LABEL", help="Put a label right.", show_default=False),
    ] = None,
    drop: Annotated[
        list[int] | None, typer.Option(metavar="NUMBER", help="Delete a sample for good.", show_default=False)
    ] = None,
    accept_all: Annotated[bool, typer.Option("--accept-all", help="Take all that waits for right.")] = False,
    judge: Annotated[bool, typer.Option("--judge", help="Judge all labels anew, before anything is shown.")] = False,
    sheet: Annotated[
        Path | None,
        typer.Option(metavar="FILE.png", help="Draw what waits, with numbers, here.", show_default=False),
    ] = None,
    data: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Look once more at doubtful labels: they are not trained on until somebody accepts, relabels or drops them."""
    from handfed.clients.device.labels.review import settle, waiting

    labels = _labels(relabel or [])
    with open_store(data) as store:
        counts = _judged(store) if judge else {}
        if accept or labels or drop or accept_all:
            settled = settle(store, accepted=accept or [], relabelled=labels, dropped=drop or [], everything=accept_all)
            counts |= vars(settled)
        found = waiting(store)
    if sheet is not None:
        _draw(found, sheet)
    if as_json:
        listed = [{name: value for name, value in vars(each).items() if name != "image"} for each in found]
        typer.echo(json.dumps({"waiting": listed} | counts))
    else:
        _tell(found, counts)


def _judged(store: Store) -> dict[str, Any]:
    from handfed.clients.device.labels.assessment import assess

    assessment = assess(store)
    return {"judged": assessment.samples, "changed": assessment.changed}


def _labels(texts: list[str]) -> dict[int, str]:
    """What samples say, by their numbers.

    Raises:
        SettingError: A text is no number with a label, or a number is there twice.
    """
    from handfed.shared.errors import SettingError

    found: dict[int, str] = {}
    for text in texts:
        number, equals, label = text.partition("=")
        if not equals or not number.isascii() or not number.isdigit():
            raise SettingError(f"--relabel takes a number and a label, such as 12=7, and not {text!r}")
        if found.setdefault(int(number), label) != label:
            raise SettingError(f"more than one thing is said of sample {int(number)}, so nothing was done")
    return found


def _tell(found: list[Doubtful], counts: dict[str, Any]) -> None:
    if "judged" in counts:
        typer.echo(f"{counts['judged']} labels judged, {counts['changed']} changed.")
    if "accepted" in counts:
        accepted, relabelled, dropped = (counts[each] for each in ("accepted", "relabelled", "dropped"))
        typer.echo(f"{accepted} taken for right, {relabelled} put right, {dropped} deleted for good.")
    if not found:
        typer.echo("Nothing waits for a second look.")
        return
    for each in found[:_SHOWN]:
        read = "" if each.reading is None else f", read as {each.reading}"
        typer.echo(printable(f"{each.number}: said to be {each.label}{read} ({each.doubt}; writer #{each.writer})"))
        typer.echo("\n".join(_drawing(each.image)))
    if len(found) > _SHOWN:
        typer.echo(f"and {len(found) - _SHOWN} more; --sheet FILE.png draws all")
    typer.echo("--accept NUMBER, --relabel NUMBER=LABEL and --drop NUMBER settle them; --accept-all all of them.")


def _drawing(image: NDArray[np.uint8]) -> list[str]:
    """A picture in half blocks, each one pixel wide and two high."""
    ink = image[: image.shape[0] // 2 * 2] >= _INK
    return [
        "".join(" ▄▀█"[2 * bool(top) + bool(bottom)] for top, bottom in zip(upper, lower, strict=True)).rstrip()
        for upper, lower in zip(ink[0::2], ink[1::2], strict=True)
    ]


def _draw(found: list[Doubtful], to: Path) -> None:
    """A contact sheet: each picture with its number, and what it is said to say."""
    import io

    from PIL import Image, ImageDraw

    from handfed.shared.files import write_atomically

    pictures = [Image.fromarray(255 - each.image) for each in found]
    width = _ENLARGED * max((picture.width for picture in pictures), default=1) + _GAP
    height = _ENLARGED * max((picture.height for picture in pictures), default=1) + 2 * _GAP
    columns = max(1, min(_COLUMNS, len(found)))
    sheet = Image.new("L", (columns * width, max(1, -(-len(found) // columns)) * height), 255)
    drawing = ImageDraw.Draw(sheet)
    for index, (each, picture) in enumerate(zip(found, pictures, strict=True)):
        left, top = index % columns * width, index // columns * height
        sheet.paste(
            picture.resize((_ENLARGED * picture.width, _ENLARGED * picture.height), Image.Resampling.NEAREST),
            (left, top),
        )
        # The font that Pillow brings has no letters of most scripts.
        said = each.label if each.label.isascii() else "?"
        drawing.text((left, top + _ENLARGED * picture.height), f"{each.number}: {said[:8]}", fill=0)
    content = io.BytesIO()
    sheet.save(content, "PNG")
    write_atomically(to, content.getvalue())
