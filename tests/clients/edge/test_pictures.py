"""Decoding picture files: what a viewer shows, or a clear refusal."""

from __future__ import annotations

import io
import struct
import sys
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from handfed.clients.edge.pictures import MAX_PIXELS, read_picture
from handfed.shared.errors import ImageError, MissingExtraError
from handfed.shared.images import normalise

WHERE = "page.png"


def encoded(image: Image.Image, file_format: str = "PNG", **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, file_format, **options)
    return file.getvalue()


def letter_l() -> NDArray[np.uint8]:
    """Dark ink on light paper, 20 high and 14 wide, that looks different from every side."""
    pixels = np.full((20, 14), 230, np.uint8)
    pixels[3:17, 4] = 20
    pixels[16, 4:10] = 20
    return pixels


def header_only_png(width: int, height: int) -> bytes:
    def chunk(kind: bytes, content: bytes) -> bytes:
        body = kind + content
        return struct.pack(">I", len(content)) + body + struct.pack(">I", zlib.crc32(body))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


def test_a_grey_picture_comes_out_as_it_went_in() -> None:
    result = read_picture(encoded(Image.fromarray(letter_l())), where=WHERE)
    assert result.dtype == np.uint8
    assert np.array_equal(result, letter_l())


def test_a_file_gives_what_its_content_gives(tmp_path: Path) -> None:
    path = tmp_path / "l.png"
    path.write_bytes(encoded(Image.fromarray(letter_l())))
    assert np.array_equal(read_picture(path, where=WHERE), letter_l())


@pytest.mark.parametrize("file_format", ["PNG", "GIF", "BMP", "TIFF"])
def test_every_lossless_format_gives_the_same_pixels(file_format: str) -> None:
    content = encoded(Image.fromarray(letter_l()), file_format)
    assert np.array_equal(read_picture(content, where=WHERE), letter_l())


@pytest.mark.parametrize("file_format", ["JPEG", "WEBP"])
def test_lossy_formats_give_nearly_the_same_pixels(file_format: str) -> None:
    content = encoded(Image.fromarray(letter_l()).resize((140, 200)), file_format, quality=95)
    expected = np.asarray(Image.fromarray(letter_l()).resize((140, 200)), np.int64)
    assert np.abs(read_picture(content, where=WHERE) - expected).mean() <= 3


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "RGBA", "LA"])
def test_every_mode_of_png_shows_black_on_white(mode: str) -> None:
    black_on_white = Image.fromarray(np.where(letter_l() < 128, 0, 255).astype(np.uint8)).convert(mode)
    result = read_picture(encoded(black_on_white), where=WHERE)
    assert np.array_equal(result, np.where(letter_l() < 128, 0, 255))


@pytest.mark.parametrize(("mode", "file_format"), [("CMYK", "JPEG"), ("CMYK", "TIFF"), ("YCbCr", "JPEG")])
def test_print_colours_are_read(mode: str, file_format: str) -> None:
    black_on_white = Image.fromarray(np.where(letter_l() < 128, 0, 255).astype(np.uint8)).resize((140, 200))
    result = read_picture(encoded(black_on_white.convert("RGB").convert(mode), file_format), where=WHERE)
    assert np.abs(result.astype(np.int64) - np.asarray(black_on_white, np.int64)).mean() <= 6


def test_colours_become_their_luma() -> None:
    colours = Image.new("RGB", (3, 2))
    for column, colour in enumerate([(255, 0, 0), (0, 255, 0), (0, 0, 255)]):
        for row in (0, 1):
            colours.putpixel((column, row), colour)
    assert read_picture(encoded(colours), where=WHERE)[0].tolist() == [76, 150, 29]


@pytest.mark.parametrize("file_format", ["PNG", "TIFF"])
def test_sixteen_bits_are_scaled_to_eight(file_format: str) -> None:
    wide = letter_l().astype(np.uint16) * 257
    result = read_picture(encoded(Image.fromarray(wide), file_format), where=WHERE)
    assert np.array_equal(result, letter_l())


def with_transparent_paper(shade: int) -> Image.Image:
    """Ink of one shade; the paper is transparent, with the shade that a careless program leaves there."""
    ink = letter_l() < 128
    alpha = np.where(ink, 255, 0).astype(np.uint8)
    return Image.merge("LA", (Image.fromarray(np.where(ink, shade, 0).astype(np.uint8)), Image.fromarray(alpha)))


@pytest.mark.parametrize("shade", [0, 60, 190, 255])
def test_transparent_paper_contrasts_with_the_ink(shade: int) -> None:
    result = read_picture(encoded(with_transparent_paper(shade)), where=WHERE)
    ink = letter_l() < 128
    assert set(result[ink]) == {shade}
    assert set(result[~ink]) == {255 if shade < 128 else 0}
    assert np.array_equal(normalise(result), normalise(letter_l()))


def test_a_transparent_palette_colour_is_paper() -> None:
    palette = with_transparent_paper(0).convert("RGBA").quantize(4)
    result = read_picture(encoded(palette), where=WHERE)
    assert np.array_equal(normalise(result), normalise(letter_l()))


def test_a_colour_named_transparent_is_paper() -> None:
    ink = letter_l() < 128
    content = encoded(Image.fromarray(np.where(ink, 10, 20).astype(np.uint8)), transparency=20)
    assert set(read_picture(content, where=WHERE)[~ink]) == {255}


def test_half_transparent_ink_is_half_as_dark() -> None:
    pixels = np.zeros((8, 8, 2), np.uint8)
    pixels[2:6, 3] = (0, 128)
    image = Image.merge("LA", [Image.fromarray(np.ascontiguousarray(pixels[..., band])) for band in (0, 1)])
    assert read_picture(encoded(image), where=WHERE)[3, 3] == 127


def test_a_hole_in_opaque_paper_gets_the_shade_of_the_paper() -> None:
    """A scan with rounded corners: its light paper must not be taken for light ink."""
    alpha = np.full(letter_l().shape, 255, np.uint8)
    alpha[0, :3] = alpha[0, -3:] = alpha[-1, :3] = alpha[10, 7] = 0
    image = Image.merge("LA", (Image.fromarray(letter_l()), Image.fromarray(alpha)))
    assert np.array_equal(read_picture(encoded(image), where=WHERE), letter_l())


def test_a_wholly_transparent_picture_shows_no_ink() -> None:
    result = read_picture(encoded(Image.new("RGBA", (9, 9), (40, 90, 10, 0))), where=WHERE)
    with pytest.raises(ImageError, match="no ink"):
        normalise(result)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_photo_is_turned_as_its_exif_says(orientation: int) -> None:
    upright = Image.fromarray(letter_l())
    # What a camera stores, so that undoing it gives the upright picture.
    stored = {
        1: None,
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    content = encoded(upright if stored is None else upright.transpose(stored), exif=exif)
    assert np.array_equal(read_picture(content, where=WHERE), letter_l())


def test_of_an_animation_the_first_picture_is_taken() -> None:
    frames = [Image.fromarray(letter_l()), Image.fromarray(255 - letter_l())]
    content = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert np.array_equal(read_picture(content, where=WHERE), letter_l())


@pytest.mark.parametrize(("width", "height"), [(8_000, 4_001), (10_000, 10_000), (50_000, 50_000)])
def test_a_picture_beyond_the_pixel_limit_is_refused_by_its_header(width: int, height: int) -> None:
    assert width * height > MAX_PIXELS
    with pytest.raises(ImageError, match=r"page.png: has more than 32,000,000 pixels"):
        read_picture(header_only_png(width, height), where=WHERE)


@pytest.mark.parametrize("content", [b"", b"not a picture", b"%!PS-Adobe-3.0 EPSF-3.0\n", bytes(1000)])
def test_what_is_no_picture_is_refused(content: bytes) -> None:
    with pytest.raises(ImageError, match=r"page.png: is not a picture"):
        read_picture(content, where=WHERE)


def test_postscript_is_not_tried() -> None:
    with pytest.raises(ImageError, match="is not a picture"):
        read_picture(encoded(Image.fromarray(letter_l()), "EPS"), where=WHERE)


@pytest.mark.parametrize("file_format", ["PNG", "JPEG", "TIFF", "BMP", "GIF"])
def test_a_truncated_picture_is_refused(file_format: str) -> None:
    content = encoded(Image.fromarray(letter_l()).resize((140, 200)), file_format)
    with pytest.raises(ImageError, match=r"page\.png: is (damaged or cut off|not a picture)"):
        read_picture(content[: len(content) // 2], where=WHERE)


def test_a_png_without_pixels_is_refused() -> None:
    with pytest.raises(ImageError, match="damaged or cut off"):
        read_picture(header_only_png(20, 20), where=WHERE)


def test_floating_point_pixels_are_refused() -> None:
    with pytest.raises(ImageError, match="floating-point"):
        read_picture(encoded(Image.new("F", (8, 8)), "TIFF"), where=WHERE)


def test_a_missing_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    for path in (tmp_path / "none.png", tmp_path):
        with pytest.raises(ImageError, match=r"here: there is no such file"):
            read_picture(path, where="here")


def test_without_pillow_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(MissingExtraError, match=r"Pillow .* pip install 'handfed-clients\[edge\]'"):
        read_picture(b"", where=WHERE)


FORMATS = ["PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP"]
WHOLE = {each: encoded(Image.fromarray(letter_l()).convert("RGB"), each) for each in FORMATS}


@settings(max_examples=300)
@given(
    st.sampled_from(FORMATS),
    st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), max_size=8),
    st.integers(0, 10_000),
)
def test_damage_gives_pixels_or_an_image_error_and_nothing_else(
    file_format: str, changes: list[tuple[int, int]], cut: int
) -> None:
    content = bytearray(WHOLE[file_format])
    for position, value in changes:
        content[position % len(content)] = value
    if cut < len(content):
        del content[cut:]
    try:
        result = read_picture(bytes(content), where=WHERE)
    except ImageError as error:
        assert str(error).startswith(WHERE)  # noqa: PT017 - pixels are as right as a refusal
    else:
        assert result.ndim == 2
        assert result.dtype == np.uint8
