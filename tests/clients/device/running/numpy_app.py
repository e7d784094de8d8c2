"""What a device of these tests answers with: it adds one, or does what it is told, without TensorFlow."""

from __future__ import annotations

import os
import time
from pathlib import Path

from flwr.app import Array, ArrayRecord, Context, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp

from handfed.clients.trainer.discretion import DeviceError, discreet


def create(_: Path, threads: int) -> ClientApp:
    app = ClientApp(mods=[discreet])
    held: list[bytes] = []

    @app.train()
    def train(message: Message, _context: Context) -> Message:
        config = message.content.config_records["config"]
        match config["do"]:
            case "raise":
                raise ValueError("a label: Ägypten")
            case "refuse":
                raise DeviceError("this device takes no part")
            case "exit":
                os._exit(7)
            case "hang":
                time.sleep(600)
            case "sleep":
                time.sleep(float(str(config["seconds"])))
            case "grow":
                held.append(os.urandom(1) * 300_000_000)
                time.sleep(600)
        arrays = {name: Array(array.numpy() + 1) for name, array in message.content.array_records["arrays"].items()}
        metrics = MetricRecord({"pid": os.getpid(), "threads": threads, "niceness": os.nice(0)})
        return Message(RecordDict({"arrays": ArrayRecord(arrays), "metrics": metrics}), reply_to=message)

    return app
