"""XML as a tree of elements by their local names, parsed so that a hostile file can do no harm.

Rules:
1. Entities are refused where they are declared, before one is expanded: so no small file grows into a large one
   ("billion laughs"), and none is read from elsewhere. The five of XML itself and numeric references are enough.
2. Nothing outside the file is ever opened: a DTD may be named, and is not looked for. An entity that it would declare
   is an error, and not silently left out of a text.

The parser is expat, of the standard library, which hands every declaration to us before it acts on it; defusedxml does
the same with it, and would be one dependency more.
Source: https://www.w3.org/TR/xml (5th edition), https://docs.python.org/3/library/pyexpat.html.
"""

from __future__ import annotations

from typing import Final, NoReturn
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

from handfed.shared.errors import DatasetError

_BETWEEN: Final = " "  # a namespace and a name: neither holds a space


def parse(content: bytes, *, where: str) -> tuple[str, Element]:
    """Parses a file.

    Args:
        content: The file.
        where: What is read, for the message of an error.

    Returns:
        The namespace of its root, or "", and the root. Tags are without their namespaces.

    Raises:
        DatasetError: It is not well-formed, of an encoding that is not known, or uses entities.
    """
    builder = TreeBuilder()
    namespaces: list[str] = []
    parser = expat.ParserCreate(namespace_separator=_BETWEEN)

    def start(name: str, attributes: dict[str, str]) -> None:
        namespace, _, local = name.rpartition(_BETWEEN)
        namespaces.append(namespace)
        builder.start(local, attributes)

    def refuse(name: str, *_: object) -> NoReturn:
        raise DatasetError(
            f"{where}, line {parser.CurrentLineNumber}: uses the entity {name!r}; entities are not read, for safety:"
            " write the characters themselves"
        )

    parser.buffer_text = True  # or a text comes in pieces, each with a call
    parser.StartElementHandler = start
    parser.EndElementHandler = lambda name: builder.end(name.rpartition(_BETWEEN)[2])
    parser.CharacterDataHandler = builder.data
    parser.EntityDeclHandler = refuse
    parser.SkippedEntityHandler = refuse
    try:
        parser.Parse(content, True)  # noqa: FBT003 - the end of the file; it takes no names
    except expat.ExpatError as error:
        raise DatasetError(
            f"{where}, line {error.lineno}: is not well-formed XML ({expat.ErrorString(error.code)}); get the file anew"
        ) from None
    except (LookupError, ValueError) as error:  # what the declared encoding's codec raises
        raise DatasetError(f"{where}: is in an encoding that is not read ({error}); save it as UTF-8") from None
    return namespaces[0], builder.close()
