"""Folders of pages in PAGE and ALTO XML: every transcribed line is read, or the first bad one is named."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from xml.sax.saxutils import escape, quoteattr

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from handfed.clients.datasets import read
from handfed.clients.datasets.labelled import parse_table
from handfed.clients.edge.pictures import read_picture
from handfed.shared import strips
from handfed.shared.alphabet import SPACE
from handfed.shared.datasets import Dataset
from handfed.shared.errors import DatasetError
from handfed.shared.tasks import TASKS

PAGE_NAMESPACE = "http://schema.primaresearch.org/PAGE/gts/pagecontent/2019-07-15"
ALTO_NAMESPACE = "http://www.loc.gov/standards/alto/ns-v4#"
WIDTH, HEIGHT = 200, 120
Word = tuple[str, tuple[int, int, int, int]]  # text; left, top, width, height
LINES: list[list[Word]] = [
    [("No", (20, 12, 40, 24)), ("one", (80, 14, 50, 22))],
    [("knows", (24, 60, 90, 30))],
]


def page_picture() -> NDArray[np.uint8]:
    pixels = np.full((HEIGHT, WIDTH), 225, np.uint8)
    for line in LINES:
        for seed, (_, (left, top, width, height)) in enumerate(line):
            pixels[top + 4 : top + height - 4, left + 3 : left + 6 + seed] = 30
            pixels[top + 8 : top + 11, left + 3 : left + width - 5] = 60
    return pixels


def png(pixels: NDArray[np.uint8]) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def around(words: list[Word]) -> tuple[int, int, int, int]:
    """The box around a line: left, top, right, bottom."""
    boxes = [box for _, box in words]
    return (
        min(left for left, *_ in boxes),
        min(top for _, top, *_ in boxes),
        max(left + width for left, _, width, _ in boxes),
        max(top + height for _, top, _, height in boxes),
    )


def points(left: int, top: int, right: int, bottom: int) -> str:
    return f"{left},{top} {right},{top} {right},{bottom} {left},{bottom}"


def equiv(text: str) -> str:
    return f"<TextEquiv><Unicode>{text}</Unicode></TextEquiv>"


def page_line(number: int, words: list[Word], text: str | None = None, coords: str | None = None) -> str:
    parts = [
        f'<Word id="l{number}w{index}"><Coords points="{points(left, top, left + width, top + height)}"/>'
        f"{equiv(each)}</Word>"
        for index, (each, (left, top, width, height)) in enumerate(words)
    ]
    whole = equiv(" ".join(each for each, _ in words)) if text is None else text
    outline = points(*around(words)) if coords is None else coords
    return f'<TextLine id="l{number}"><Coords points="{outline}"/>{"".join(parts)}{whole}</TextLine>'


def page_xml(
    lines: str | None = None,
    picture: str = "1.png",
    namespace: str = PAGE_NAMESPACE,
    metadata: str = "",
    size: str = f'imageWidth="{WIDTH}" imageHeight="{HEIGHT}"',
) -> str:
    body = "".join(page_line(number, words) for number, words in enumerate(LINES)) if lines is None else lines
    return (
        f'<?xml version="1.0" encoding="UTF-8"?><PcGts xmlns="{namespace}"><Metadata><Creator>x</Creator>{metadata}'
        f'</Metadata><Page imageFilename={quoteattr(picture)} {size}><TextRegion id="r"><Coords points="0,0 9,0 9,9"/>'
        f"{body}{equiv('all of it')}</TextRegion></Page></PcGts>"
    )


def alto_line(number: int, words: list[Word], unit: float = 1.0, shape: str = "") -> str:
    def box(left: float, top: float, width: float, height: float) -> str:
        return f'HPOS="{left * unit:g}" VPOS="{top * unit:g}" WIDTH="{width * unit:g}" HEIGHT="{height * unit:g}"'

    left, top, right, bottom = around(words)
    strings = "<SP/>".join(f'<String {box(*each)} CONTENT="{text}"/>' for text, each in words)
    return f'<TextLine ID="l{number}" {box(left, top, right - left, bottom - top)}>{shape}{strings}</TextLine>'


def alto_xml(
    lines: str | None = None,
    picture: str = "1.png",
    namespace: str = ALTO_NAMESPACE,
    unit: str = "pixel",
    size: str = f'WIDTH="{WIDTH}" HEIGHT="{HEIGHT}"',
) -> str:
    body = "".join(alto_line(number, words) for number, words in enumerate(LINES)) if lines is None else lines
    return (
        f'<alto xmlns="{namespace}"><Description><MeasurementUnit>{unit}</MeasurementUnit><sourceImageInformation>'
        f'<fileName>{picture}</fileName></sourceImageInformation></Description><Layout><Page ID="p" {size}><PrintSpace>'
        f'<TextBlock ID="b">{body}</TextBlock></PrintSpace></Page></Layout></alto>'
    )


def folder(root: Path, files: dict[str, str], pictures: tuple[str, ...] = ("1.png",)) -> str:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, encoding="utf-8")
    for name in pictures:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(png(page_picture()))
    return str(root)


def texts(dataset: Dataset) -> list[str]:
    return ["".join(dataset.alphabet.names[each] for each in row) for row in dataset.samples.written()]


@pytest.mark.parametrize("xml", [page_xml(), alto_xml()], ids=["PAGE", "ALTO"])
def test_lines_are_cut_out_of_their_page(tmp_path: Path, xml: str) -> None:
    dataset = read(folder(tmp_path / "letters", {"1.xml": xml}), "lines")
    assert dataset.name == "letters"
    assert texts(dataset) == ["No one", "knows"]
    assert dataset.alphabet.names[0] == SPACE
    assert dataset.source == "Your own pages in XML"
    left, top, right, bottom = around(LINES[1])
    expected = strips.normalise(page_picture()[top:bottom, left:right], TASKS["lines"].height)
    assert dataset.samples.widths is not None
    np.testing.assert_array_equal(dataset.images[1, :, : dataset.samples.widths[1]], expected)


@pytest.mark.parametrize("xml", [page_xml(), alto_xml()], ids=["PAGE", "ALTO"])
def test_words_are_cut_out_of_their_page(tmp_path: Path, xml: str) -> None:
    dataset = read(folder(tmp_path / "letters", {"1.xml": xml}), "words")
    assert texts(dataset) == ["No", "one", "knows"]
    left, top, width, height = LINES[0][1][1]
    expected = strips.normalise(page_picture()[top : top + height, left : left + width], TASKS["words"].height)
    assert dataset.samples.widths is not None
    np.testing.assert_array_equal(dataset.images[1, :, : dataset.samples.widths[1]], expected)


YEARS = ("2013", "2016", "2017", "2018", "2019", "2024")


@pytest.mark.parametrize("namespace", [PAGE_NAMESPACE.replace("2019", year) for year in YEARS])
def test_every_schema_of_page_since_2013_is_read(tmp_path: Path, namespace: str) -> None:
    assert len(read(folder(tmp_path, {"1.xml": page_xml(namespace=namespace)}), "lines")) == 2


@pytest.mark.parametrize("version", [2, 3, 4])
def test_every_version_of_alto_since_2_is_read(tmp_path: Path, version: int) -> None:
    xml = alto_xml(namespace=f"http://www.loc.gov/standards/alto/ns-v{version}#")
    assert len(read(folder(tmp_path, {"1.xml": xml}), "lines")) == 2


def test_a_prefix_and_utf_16_are_read(tmp_path: Path) -> None:
    xml = page_xml().replace("xmlns=", "xmlns:pc=").replace("</", "</pc:").replace("UTF-8", "UTF-16")
    for tag in ("PcGts", "Metadata", "Creator", "Page", "TextRegion", "Coords", "TextLine", "Word", "TextEquiv"):
        xml = xml.replace(f"<{tag} ", f"<pc:{tag} ").replace(f"<{tag}>", f"<pc:{tag}>")
    folder(tmp_path, {})
    (tmp_path / "1.xml").write_bytes(xml.replace("<Unicode", "<pc:Unicode").encode("utf-16"))
    assert texts(read(str(tmp_path), "lines")) == ["No one", "knows"]


def test_each_file_is_a_writer_unless_it_names_one(tmp_path: Path) -> None:
    author = '<MetadataItem type="author" value="zoe"/>'
    files = {
        "1.xml": page_xml(),
        "2.xml": page_xml(picture="2.png", metadata=author),
        "3.xml": page_xml(picture="3.png", metadata=author),
        "4.xml": alto_xml(picture="4.png"),
    }
    dataset = read(folder(tmp_path, files, ("1.png", "2.png", "3.png", "4.png")), "lines")
    assert dataset.writers is not None
    assert dataset.writers.tolist() == [0, 0, 2, 2, 2, 2, 1, 1]


def test_of_several_texts_the_lowest_index_counts(tmp_path: Path) -> None:
    several = (
        "<TextEquiv index='2'><Unicode>two</Unicode></TextEquiv><TextEquiv index='1'><Unicode>one</Unicode></TextEquiv>"
    )
    lines = page_line(0, LINES[0], several) + page_line(1, LINES[1], several.replace(" index='2'", ""))
    assert texts(read(folder(tmp_path, {"1.xml": page_xml(lines)}), "lines")) == ["one", "two"]


def test_lines_without_text_are_left_out_and_counted(tmp_path: Path) -> None:
    lines = page_line(0, LINES[0]) + page_line(1, LINES[1], "") + page_line(2, LINES[1], equiv(" \n"))
    dataset = read(folder(tmp_path, {"1.xml": page_xml(lines)}), "lines")
    assert texts(dataset) == ["No one"]
    assert dataset.source == "Your own pages in XML; 2 lines without text are left out"


def test_strings_are_apart_without_sp_and_a_hyphen_is_not(tmp_path: Path) -> None:
    line = alto_line(0, LINES[0]).replace("<SP/>", "").replace("</TextLine>", '<HYP CONTENT="-"/></TextLine>')
    assert texts(read(folder(tmp_path, {"1.xml": alto_xml(line)}), "lines")) == ["No one-"]


@pytest.mark.parametrize("separator", [",", " "])
def test_a_polygon_keeps_the_neighbours_out(tmp_path: Path, separator: str) -> None:
    left, top, right, bottom = around(LINES[0])
    outline = points(left, top, right, bottom) + f" {left},{bottom + 60} {left - 2},{bottom + 60} {left - 2},{top}"
    shape = f'<Shape><Polygon POINTS="{outline.replace(",", separator)}"/></Shape>'
    page = folder(tmp_path / "page", {"1.xml": page_xml(page_line(0, LINES[0], coords=outline))})
    alto = folder(tmp_path / "alto", {"1.xml": alto_xml(alto_line(0, LINES[0], shape=shape))})
    with_neighbour = [read(page, "lines").images, read(alto, "lines").images]
    pixels = page_picture()
    pixels[bottom + 2 :] = 225  # the line below, which the rectangle around the outline takes in
    (tmp_path / "page" / "1.png").write_bytes(png(pixels))
    for images in with_neighbour:
        np.testing.assert_array_equal(images, read(page, "lines").images)


@pytest.mark.parametrize(("unit", "per_pixel"), [("mm10", 254 / 300), ("inch1200", 4.0), ("pixel", 2.0)])
def test_other_units_are_related_to_the_picture_by_the_pages_size(tmp_path: Path, unit: str, per_pixel: float) -> None:
    lines = "".join(alto_line(number, words, per_pixel) for number, words in enumerate(LINES))
    size = f'WIDTH="{WIDTH * per_pixel:g}" HEIGHT="{HEIGHT * per_pixel:g}"'
    found = read(folder(tmp_path / "a", {"1.xml": alto_xml(lines, unit=unit, size=size)}), "lines")
    plain = read(folder(tmp_path / "b", {"1.xml": alto_xml(size="")}), "lines")
    assert texts(found) == texts(plain)
    difference = np.abs(found.images[..., :40].astype(int) - plain.images[..., :40])
    assert difference.mean() < 4


def test_a_tight_box_that_is_all_ink_is_still_dark_ink(tmp_path: Path) -> None:
    folder(tmp_path, {"1.xml": page_xml(page_line(0, [("-.", (100, 50, 30, 6))]))})
    pixels = np.full((HEIGHT, WIDTH), 225, np.uint8)
    pixels[50:56, 100:128] = 20
    (tmp_path / "1.png").write_bytes(png(pixels))
    dataset = read(str(tmp_path), "lines")
    assert dataset.samples.widths is not None
    assert dataset.samples.widths[0] > 28 * 36 / 6  # the dash, and not the paper at its end


def test_pages_may_lie_as_transkribus_exports_them(tmp_path: Path) -> None:
    files = {"page/1.xml": page_xml(), "mets.xml": "<mets/>", "alto/1.xml": alto_xml()}
    assert texts(read(folder(tmp_path, files), "lines")) == ["No one", "knows"]


@pytest.mark.parametrize("stated", ["/home/zoe/1.png", "..\\scans\\1.png", "C:\\1.png", "../1.png", "file:///x/1.png"])
def test_of_a_path_on_another_computer_the_last_part_counts(tmp_path: Path, stated: str) -> None:
    assert len(read(folder(tmp_path, {"1.xml": page_xml(picture=stated)}), "lines")) == 2


def test_pictures_may_lie_in_a_folder_below(tmp_path: Path) -> None:
    assert len(read(folder(tmp_path, {"1.xml": page_xml(picture="scans/1.png")}, ("scans/1.png",)), "lines")) == 2


def test_xml_of_another_kind_beside_class_folders_is_not_read(tmp_path: Path) -> None:
    dataset = read(folder(tmp_path, {"about.xml": "<about/>"}, ("a/1.png", "b/1.png")))
    assert dataset.alphabet.names == ("a", "b")


GOOD = page_line(0, LINES[0])
BOXLESS = '<TextLine ID="l7"><String CONTENT="ab"/></TextLine>'


@pytest.mark.parametrize(
    ("xml", "message"),
    [
        (page_xml(picture="2.png"), r"1\.xml: its picture '2\.png' is missing; put it beside the file"),
        (page_xml(picture=""), r"1\.xml: names no picture"),
        (page_xml(picture="n" * 300 + ".png"), r"1\.xml: its picture"),
        (alto_xml(picture=""), r"1\.xml: names no picture"),
        (page_xml(picture=".."), r"1\.xml: names no picture"),
        (page_xml(namespace=PAGE_NAMESPACE.replace("2019", "2009")), r"1\.xml: is PAGE XML of the schema .*2009"),
        (alto_xml(namespace="http://schema.ccs-gmbh.com/ALTO"), r"1\.xml: is ALTO of the namespace .*ccs-gmbh"),
        (alto_xml(namespace=""), r"1\.xml: is ALTO of the namespace ''"),
        (page_xml(size='imageWidth="200"'), r"1\.xml: the Page has no imageWidth and imageHeight"),
        (page_xml(size='imageWidth="0" imageHeight="9"'), r"1\.xml: the Page has no imageWidth and imageHeight"),
        (page_xml(size='imageWidth="120" imageHeight="200"'), r"1\.png: is 200 x 120 pixels, and its page 120 x 200"),
        (alto_xml(unit="mm10", size=""), r"1\.xml: the Page has no WIDTH and HEIGHT, .* its unit .mm10."),
        (f'<PcGts xmlns="{PAGE_NAMESPACE}"/>', r"1\.xml: has no Page"),
        (alto_xml().replace("<Layout>", "<Layout><Page/>"), r"1\.xml: has 2 pages"),
        (page_xml(GOOD + page_line(1, LINES[1], coords="1,2 3,4")), r"1\.xml, TextLine 'l1': the outline '1,2 3,4'"),
        (page_xml(GOOD + "<TextLine id='l1'/>"), r"1\.xml, TextLine 'l1': the outline ''"),
        (
            page_xml(GOOD + page_line(1, LINES[1], coords=points(900, 900, 950, 950))),
            r"1\.xml, TextLine 'l1': less than 2 x 2 pixels of it are on the page",
        ),
        (
            page_xml(GOOD + page_line(1, LINES[1], coords=points(150, 95, 199, 119))),
            r"1\.xml, TextLine 'l1': the image shows no ink",
        ),
        (
            page_xml(page_line(0, LINES[0], "<TextEquiv index='x'/>")),
            r"1\.xml, TextLine 'l0': a TextEquiv has an index",
        ),
        (alto_xml(BOXLESS), r"1\.xml, TextLine 'l7': has neither a Polygon nor a box of HPOS, VPOS"),
        (page_xml(page_line(0, LINES[0], "")), r"has no lines with a text \(1 without\)"),
        (page_xml("").replace("</Page>", ""), r"1\.xml, line 1: is not well-formed XML"),
        (
            page_xml().replace("?><", '?><!DOCTYPE PcGts [<!ENTITY a "b">]><', 1),
            r"1\.xml, line 1: uses the entity 'a'",
        ),
    ],
)
def test_what_cannot_be_used_is_refused(tmp_path: Path, xml: str, message: str) -> None:
    with pytest.raises(DatasetError, match=rf"^{tmp_path}.*{message}"):
        read(folder(tmp_path, {"1.xml": xml}), "lines")


def test_two_files_of_one_picture_are_refused(tmp_path: Path) -> None:
    files = {"1.xml": page_xml(), "1.alto.xml": alto_xml()}
    with pytest.raises(
        DatasetError, match=r"'1\.alto\.xml' and '1\.xml' are of the same picture, '1\.png'; remove one"
    ):
        read(folder(tmp_path, files), "lines")


def test_a_bad_picture_is_named(tmp_path: Path) -> None:
    folder(tmp_path, {"1.xml": page_xml()})
    (tmp_path / "1.png").write_bytes(png(page_picture())[:80])
    with pytest.raises(DatasetError, match=r"1\.png: is damaged or cut off"):
        read(str(tmp_path), "lines")


def test_a_picture_that_is_a_link_out_of_the_folder_is_refused(tmp_path: Path) -> None:
    folder(tmp_path / "letters", {"1.xml": page_xml()})
    (tmp_path / "letters" / "1.png").rename(tmp_path / "1.png")
    (tmp_path / "letters" / "1.png").symlink_to("../1.png")
    with pytest.raises(DatasetError, match=r"'1.png' is a link out of the folder"):
        read(str(tmp_path / "letters"), "lines")


def test_pages_are_no_single_characters(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"holds pages of text; read it with --task lines or --task words"):
        read(folder(tmp_path, {"1.xml": page_xml()}))


def test_for_one_file_the_folder_is_asked_for(tmp_path: Path) -> None:
    folder(tmp_path, {"1.xml": page_xml()})
    with pytest.raises(DatasetError, match=r"1\.xml: is not .*give the folder that holds it and the page's picture"):
        read(str(tmp_path / "1.xml"), "lines")


def test_real_lines_are_the_same_on_a_page_as_in_a_table(tmp_path: Path, shared_data: Path) -> None:
    rows = parse_table((shared_data / "lines_copiste" / "labels.tsv").read_bytes(), where="labels.tsv")[:8]
    with zipfile.ZipFile(shared_data / "lines_copiste" / "images.zip") as archive:
        pictures = [read_picture(archive.read(row.image), where=row.image) for row in rows]
    for row, pixels in zip(rows, pictures, strict=True):
        (tmp_path / "table" / row.image).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(tmp_path / "table" / row.image)
    table = "image\ttext\n" + "".join(f"{row.image}\t{row.text}\n" for row in rows)
    (tmp_path / "table" / "labels.tsv").write_text(table, encoding="utf-8")
    height, width = sum(len(pixels) for pixels in pictures), max(pixels.shape[1] for pixels in pictures)
    page = np.full((height, width), 255, np.uint8)
    lines, top = "", 0
    for row, pixels in zip(rows, pictures, strict=True):
        page[top : top + len(pixels), : pixels.shape[1]] = pixels
        outline = points(0, top, pixels.shape[1], top + len(pixels))
        lines += f'<TextLine id="l{row.line}"><Coords points="{outline}"/>{equiv(escape(row.text))}</TextLine>'
        top += len(pixels)
    folder(tmp_path / "page", {"1.xml": page_xml(lines, size=f'imageWidth="{width}" imageHeight="{height}"')})
    (tmp_path / "page" / "1.png").write_bytes(png(page))
    from_table, from_page = read(str(tmp_path / "table"), "lines"), read(str(tmp_path / "page"), "lines")
    assert texts(from_page) == texts(from_table)
    np.testing.assert_array_equal(from_page.images, from_table.images)
