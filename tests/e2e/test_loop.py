"""The whole loop on real processes: what people correct on devices starts a run by itself, and comes back as a release.

All that devices send to the server is heard on its way, in plain, and searched for what may not leave a device.
"""

from __future__ import annotations

import asyncio
import base64
import csv
import gc
import ssl
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image

from handfed.clients.edge import Recogniser
from handfed.server.authority import files
from handfed.shared.datasets import Dataset
from handfed.shared.errors import HandfedError

if TYPE_CHECKING:
    from tests.e2e.conftest import Federation

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

DEVICES = 3
CORRECTED = 30  # readings of each device
PROMOTION = {"margin": 0.2, "stage_s": 0, "distrusted_devices": 0, "least_coverage": 0.05, "least_healthy": 1}
LEARNING = {"least_samples": 30, "least_devices": 2, "least_each": 10, "cool_down_s": 0}
TRAINING = {"rounds": 7, "qat_rounds": 2, "local_epochs": 2, "float_margin": 1.0}


class Tap:
    """Stands before the server with the server's own key, and hears what is sent to it.

    Attributes:
        port: Where it listens.
        heard: What devices sent, in pieces.
    """

    def __init__(self, authority: Path, onward: int) -> None:
        self.heard: list[bytes] = []
        self._onward = onward
        self._ours = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._ours.load_cert_chain(authority / files.SERVER_CERTIFICATE, authority / files.SERVER_KEY)
        self._theirs = ssl.create_default_context(cafile=str(authority / files.CA_CERTIFICATE))
        self._loop = asyncio.new_event_loop()
        listening = asyncio.start_server(self._pass_on, "127.0.0.1", 0, ssl=self._ours)
        self._server = self._loop.run_until_complete(listening)
        self.port = int(self._server.sockets[0].getsockname()[1])
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()

    def close(self) -> None:
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result(120)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _end(self) -> None:
        self._server.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _pass_on(self, source: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        ends = [back]
        try:
            answer, onward = await asyncio.open_connection("127.0.0.1", self._onward, ssl=self._theirs)
            ends.append(onward)
            await asyncio.gather(self._pump(source, onward, self.heard), self._pump(answer, back, None))
            for end in ends:
                await end.wait_closed()
        except OSError:  # one of the two is gone
            pass
        finally:
            for end in ends:
                end.transport.abort()

    @staticmethod
    async def _pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter, heard: list[bytes] | None) -> None:
        while content := await source.read(65_536):
            if heard is not None:
                heard.append(content)
            sink.write(content)
            await sink.drain()
        sink.close()


@pytest.fixture
def tap(federation: Federation) -> Iterator[Tap]:
    options = [part for name, value in PROMOTION.items() for part in ("--promotion", f"{name}={value}")]
    federation.serve("", *options)
    with closing(Tap(files.authority_in(federation.data), federation.port)) as made:
        yield made
    gc.collect()  # Python complains of what is still open, here and not in another test


def in_use(folder: Path) -> int | None:
    try:
        return Recogniser.of_device(folder).release
    except HandfedError:  # none yet
        return None


def misread(folder: Path, digits: Dataset, rows: range) -> list[int]:
    """Digits that a device's release misreads, as many as are to be corrected."""
    found = Recogniser.of_device(folder).read_all(digits.images[rows]).labels != digits.labels[rows]
    return [row for row, wrong in zip(rows, found, strict=True) if wrong][:CORRECTED]


def correct(federation: Federation, number: int, rows: list[int]) -> None:
    """Has people correct readings on a device: pictures, what they say, and who wrote one of them."""
    folder, digits = federation.folder / f"scans-of-{number}", federation.digits
    folder.mkdir()
    with (folder / "corrections.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["image", "correct", "writer"])
        for row in rows:
            path = folder / f"page-{row}.png"
            Image.fromarray(255 - digits.images[row]).resize((112, 112)).save(path)
            writer.writerow(
                [path, digits.alphabet.names[digits.labels[row]], "pupil-Wilhelmina" if row == rows[0] else ""]
            )
    federation.handfed("edge", "feedback", "--csv", folder / "corrections.csv", "--data", federation.device(number))


def pieces(images: Any) -> Iterator[bytes]:
    """Of each picture what would be found wherever its pixels are, in plain and as text."""
    for image in images:
        pixels = image[10:18].tobytes()
        yield pixels[28:84]
        for shift in range(3):
            yield base64.b64encode(pixels[28 + shift : 85 + shift])[4:-4]


def test_corrections_start_a_run_whose_release_reads_them_and_no_picture_leaves_a_device(
    federation: Federation, tap: Tap, digits: Dataset
) -> None:
    for number in range(DEVICES):
        federation.join(number, port=tap.port)
        federation.run_device(number, "--releases-minutes", 0.1)
    federation.ended(federation.start_run(rounds=3, qat_rounds=1, local_epochs=1, float_margin=1.0))
    folders = [federation.device(number) for number in range(DEVICES)]
    federation.until(lambda: [in_use(folder) for folder in folders] == [1] * DEVICES, "release 1 on every device")
    federation.handfed("edge", "pull", "--channel", "canary", "--data", folders[0])

    given = ("--data-dir", federation.data)
    named = [part for name, value in LEARNING.items() for part in ("--set", f"{name}={value}")]
    trained = [part for name, value in TRAINING.items() for part in ("--run-set", f"{name}={value}")]
    federation.handfed("policy", "set", *named, *trained, *given)
    federation.handfed("policy", "enable", *given)
    corrected = [
        misread(folder, digits, range(1500 + 1000 * place, 2500 + 1000 * place)) for place, folder in enumerate(folders)
    ]
    assert min(map(len, corrected)) >= 10
    for number, rows in enumerate(corrected):
        correct(federation, number, rows)

    federation.until(lambda: len(federation.record.list()) == 2, "a run that nobody started")
    ended = federation.ended(2)["run"]
    assert (ended["status"], ended["settings"]["start_from"]) == ("done", 1), ended["error"]
    federation.until(lambda: [in_use(folder) for folder in folders] == [2] * DEVICES, "release 2 on every device")
    moves = [
        (each["detail"]["from"], each["detail"]["to"])
        for each in federation.answer("audit", *given)["entries"]
        if each["object"] == "release/2" and each["verb"] == "move"
    ]
    assert moves[0] == ("candidate", "rolling-out")
    assert moves[-1] == ("rolling-out", "stable")

    for folder, rows in zip(folders, corrected, strict=True):
        read = Recogniser.of_device(folder).read_all(digits.images[rows]).labels
        assert (read == digits.labels[rows]).mean() >= 0.6  # none was before
    heard = b"".join(tap.heard)
    assert b"num-held-out" in heard
    for secret in (b"pupil-", b"Wilhelmina", b"pages-of-", b"scans-of-", b"page-", str(federation.folder).encode()):
        assert secret not in heard
    seen = np.concatenate(
        [digits.images[rows[:10]] for rows in corrected] + [digits.images[:10], digits.images[400:410]]
    )
    assert not [piece for piece in pieces(seen) if piece in heard]
