"""What reports are written as: an HTML page of templates, or a picture as a file of its own.

What runs bring is escaped by the template engine; the page's content security policy forbids it to load anything.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined

from handfed.shared.errors import StorageError
from handfed.shared.files import write_atomically
from handfed.shared.printable import printable

_BASE: Final = "handfed.simulations.report"  # whose templates the others extend
_PALETTE: Final = re.compile(r"--(\w+): (#[0-9a-f]{6})")


def html(template: str, package: str = _BASE, **values: Any) -> str:  # noqa: ANN401 - a template takes anything
    """A page.

    Args:
        template: Its name.
        package: Where it is; what it does not find there is the report's.
        values: By the names that the template has for them.
    """
    environment = Environment(
        loader=ChoiceLoader([PackageLoader(package), PackageLoader(_BASE)]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals["zip"] = zip
    return printable(environment.get_template(template).render(values))


def standalone(svg: str) -> str:
    """A picture as a file of its own: in the page's light colours, since few programs know variables in an SVG."""
    css = (files(_BASE) / "templates" / "report.css").read_text(encoding="utf-8")
    text = str(svg)
    for name, colour in dict(reversed(_PALETTE.findall(css))).items():  # of two, the first is the light one
        text = text.replace(f"var(--{name})", colour)
    root = '<svg xmlns="http://www.w3.org/2000/svg" style="font-family: sans-serif; background: #ffffff" '
    return text.replace("<svg ", root, 1) + "\n"


def write(path: Path, picture: Callable[[], str], page: Callable[[], str]) -> None:
    """Writes the picture alone where the name ends in `.svg`, else the page.

    Args:
        path: Where to; its folder is made where there is none.
        picture: Makes the picture, an SVG element.
        page: Makes the page.

    Raises:
        StorageError: The file cannot be written.
    """
    text = standalone(picture()) if path.suffix.lower() == ".svg" else page()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(f"cannot make the folder {path.parent}: {error.strerror}; name another file") from error
    write_atomically(path, text.encode())
