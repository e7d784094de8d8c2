"""XML is parsed as it is meant, and never grows, nor reaches out of its file."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handfed.clients.datasets.xmltree import parse
from handfed.shared.errors import DatasetError


def test_tags_are_local_names_and_the_namespace_is_the_roots() -> None:
    namespace, root = parse(b'<p:a xmlns:p="urn:x" xmlns="urn:z"><b c="1">t&amp;&#233;</b></p:a>', where="a.xml")
    assert namespace == "urn:x"
    assert (root.tag, root[0].tag, root[0].get("c"), root[0].text) == ("a", "b", "1", "t&é")


def test_a_file_without_a_namespace_has_an_empty_one() -> None:
    assert parse(b"<a/>", where="a.xml")[0] == ""


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "iso-8859-1"])
def test_the_declared_encoding_is_used(encoding: str) -> None:
    content = f'<?xml version="1.0" encoding="{encoding}"?><a>é</a>'.encode(encoding)
    assert parse(content, where="a.xml")[1].text == "é"


BOMB = '<!DOCTYPE a [<!ENTITY x "xxxxxxxxxx"><!ENTITY y "&x;&x;&x;&x;">]><a>&y;</a>'
OUTSIDE = '<!DOCTYPE a [<!ENTITY x SYSTEM "{uri}">]><a>&x;</a>'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (BOMB, r"a\.xml, line 1: uses the entity 'x'"),
        (OUTSIDE.format(uri="file:///etc/hostname"), "uses the entity 'x'"),
        (OUTSIDE.format(uri="http://127.0.0.1/"), "uses the entity 'x'"),
        ('<!DOCTYPE a [\n<!ENTITY % x "y">\n]><a/>', "line 2: uses the entity 'x'"),
        ('<!DOCTYPE a SYSTEM "a.dtd"><a>caf&eacute;</a>', "uses the entity 'eacute'"),
        ("<a>caf&eacute;</a>", "is not well-formed XML .undefined entity"),
        ("<a>\n<b></a>", "line 2: is not well-formed XML .mismatched tag"),
        ("", "is not well-formed XML .no element found"),
        ("<a/><a/>", "is not well-formed XML"),
        ('<?xml version="1.0" encoding="no-such"?><a/>', r"a\.xml.*(encoding)"),
        ('<?xml version="1.0" encoding="gbk"?><a/>', "is in an encoding that is not read"),
    ],
)
def test_what_is_hostile_or_broken_is_refused(text: str, message: str) -> None:
    with pytest.raises(DatasetError, match=message):
        parse(text.encode(), where="a.xml")


def test_a_dtd_may_be_named_and_is_not_opened() -> None:
    assert parse(b'<!DOCTYPE a SYSTEM "http://127.0.0.1/a.dtd"><a>t</a>', where="a.xml")[1].text == "t"


@given(st.binary(max_size=200))
def test_any_bytes_are_xml_or_a_dataset_error(content: bytes) -> None:
    try:
        parse(content, where="a.xml")
    except DatasetError as error:
        assert str(error).startswith("a.xml")  # noqa: PT017 - a tree is as right as a refusal


@given(
    st.lists(st.sampled_from(["<a>", "</a>", "<a", "x", "&", "lt;", "<!DOCTYPE a [", "]>", "<!ENTITY b 'c'>", "<?"]))
)
def test_any_pieces_of_xml_are_xml_or_a_dataset_error(pieces: list[str]) -> None:
    try:
        parse("".join(pieces).encode(), where="a.xml")
    except DatasetError as error:
        assert str(error).startswith("a.xml")  # noqa: PT017 - a tree is as right as a refusal
