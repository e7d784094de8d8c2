"""MNIST through Keras' own downloader, from a server on this machine: only address and checksum are not Keras' own."""

from __future__ import annotations

import hashlib
import io
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from handfed.shared.errors import DatasetError
from handfed.shared.tf.downloads import keras_home, load_mnist
from handfed.shared.tf.runtime import keras


def archive() -> bytes:
    """A small file of the same arrays as Keras' mnist.npz."""
    file = io.BytesIO()
    pixels = np.arange(6 * 28 * 28).reshape(6, 28, 28).astype(np.uint8)
    labels = np.arange(6, dtype=np.uint8)
    np.savez(file, allow_pickle=False, x_train=pixels[:4], y_train=labels[:4], x_test=pixels[4:], y_test=labels[4:])
    return file.getvalue()


class Server:
    """What answers requests for the file."""

    def __init__(self) -> None:
        self.content, self.status, self.requests = archive(), 200, 0
        self.answering = threading.Event()
        self.answering.set()
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                server.requests += 1
                server.answering.wait()
                self.send_response(server.status)
                self.send_header("Content-Length", str(len(server.content)))
                self.end_headers()
                self.wfile.write(server.content)

            def log_message(self, *_: object) -> None:
                """Nothing goes to the terminal."""

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.http.server_port}/mnist.npz"


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """A running server that Keras downloads from, and an empty home for Keras."""
    server = Server()
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    sha256 = hashlib.sha256(server.content).hexdigest()

    def from_here(path: str, *, cache_dir: str, **_: object) -> Any:
        return keras.utils.get_file(path, origin=server.address, file_hash=sha256, cache_dir=cache_dir)

    monkeypatch.setattr("tf_keras.src.datasets.mnist.get_file", from_here)
    thread = threading.Thread(target=server.http.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.answering.set()
    server.http.shutdown()
    thread.join()
    server.http.server_close()


def test_the_images_come_from_the_network_once_and_then_from_the_cache(server: Server, tmp_path: Path) -> None:
    for _ in range(2):
        train_images, train_labels, test_images, test_labels = load_mnist()
        assert train_images.shape == (4, 28, 28)
        assert train_images.dtype == np.uint8
        assert train_labels.tolist() == [0, 1, 2, 3]
        assert test_images.shape == (2, 28, 28)
        assert test_labels.tolist() == [4, 5]
    assert server.requests == 1
    assert (tmp_path / "keras" / "datasets" / "mnist.npz").read_bytes() == archive()


def test_progress_stays_off_standard_output(server: Server, capfd: pytest.CaptureFixture[str]) -> None:
    load_mnist()
    written = capfd.readouterr()
    assert written.out == ""
    assert f"Downloading data from {server.address}" in written.err


def test_a_file_put_there_by_hand_needs_no_network(server: Server, tmp_path: Path) -> None:
    (tmp_path / "keras" / "datasets").mkdir(parents=True)
    (tmp_path / "keras" / "datasets" / "mnist.npz").write_bytes(archive())
    load_mnist()
    assert server.requests == 0


def test_without_a_network_what_to_do_is_said(server: Server, tmp_path: Path) -> None:
    server.address = "http://127.0.0.1:1/mnist.npz"  # where nobody answers
    advice = rf"put Keras' mnist\.npz into {tmp_path}/keras/datasets, or use .* mnist5k"
    with pytest.raises(DatasetError, match=rf"MNIST cannot be downloaded \(URL fetch failure .*\); .*{advice}"):
        load_mnist()


def test_a_server_that_says_nothing_is_not_waited_for(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("handfed.shared.tf.downloads._PATIENCE_S", 0.1)
    server.answering.clear()
    with pytest.raises(DatasetError, match=r"MNIST cannot be downloaded \(.*timed out"):
        load_mnist()
    assert socket.getdefaulttimeout() is None


def test_an_answer_without_the_file_is_an_error(server: Server, tmp_path: Path) -> None:
    server.status = 404
    with pytest.raises(DatasetError, match=r"MNIST cannot be downloaded \(.*404"):
        load_mnist()
    assert not (tmp_path / "keras" / "datasets" / "mnist.npz").exists()


@pytest.mark.parametrize("content", [b"x", archive()[:-1], b"another file"])
def test_another_file_is_refused_and_fetched_anew_the_next_time(server: Server, content: bytes) -> None:
    server.content = content
    with pytest.raises(DatasetError, match=r"MNIST cannot be downloaded \(Incomplete or corrupted file"):
        load_mnist()
    server.content = archive()
    assert len(load_mnist()[0]) == 4


def test_keras_address_and_checksum_are_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the other tests replace: the call that Keras makes for MNIST."""
    asked: dict[str, object] = {}

    def get_file(path: str, **call: object) -> str:
        asked.update(call, path=path)
        (tmp_path / "mnist.npz").write_bytes(archive())
        return str(tmp_path / "mnist.npz")

    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.setattr("tf_keras.src.datasets.mnist.get_file", get_file)
    load_mnist()
    assert str(asked["origin"]).startswith("https://")
    assert str(asked["origin"]).endswith("/mnist.npz")
    assert len(str(asked["file_hash"])) == 64
    assert asked["cache_dir"] == str(tmp_path)


def test_the_home_of_keras_is_in_the_persons_home_unless_the_environment_says_otherwise(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("KERAS_HOME", raising=False)
    assert keras_home() == Path.home() / ".keras"
    monkeypatch.setenv("KERAS_HOME", "~/elsewhere")
    assert keras_home() == Path.home() / "elsewhere"
