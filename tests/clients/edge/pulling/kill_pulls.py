"""Begins pulls, and kills each at a random moment: `kill_pulls DEVICE COPIES HOST:PORT TIMES SEED TRY`.

DEVICE is the folder that each starts from, with `ca.pem` and `root.json` in it; TRY is 1 where a release is tried
before the switch, which takes most of the time, and 0 where not. A copy of DEVICE a pull is left, named by its number.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import sys
import time
from pathlib import Path

from handfed.clients.edge import updater
from handfed.clients.edge.health import Health
from handfed.clients.edge.source import locate
from handfed.clients.edge.store import Store


def pull(folder: Path, server: str) -> None:
    updater.pull(Store(folder), locate(folder, server, folder / "ca.pem", folder / "root.json"))


def well(_release: Path, *, latency_ms: float, patience_s: float = 0.0) -> Health:
    del patience_s
    return Health(None, latency_ms=latency_ms)


def begun(folder: Path, server: str) -> int:
    child = os.fork()
    if not child:
        pull(folder, server)
        os._exit(0)
    return child


def main() -> None:
    device, copies, server = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
    times, chance = int(sys.argv[4]), random.Random(int(sys.argv[5]))  # noqa: S311 - moments, and no secrets
    if sys.argv[6] == "0":
        vars(updater)["examine"] = well  # in this process alone
    whole_s = 0.0
    for number in range(times):
        if number % 10 == 0:  # one is let be, to see how long it takes now: a machine is quick and slow by turns
            start = time.monotonic()
            os.waitpid(begun(Path(shutil.copytree(device, copies / f"whole-{number}")), server), 0)
            whole_s = time.monotonic() - start
        child = begun(Path(shutil.copytree(device, copies / str(number))), server)
        time.sleep(chance.uniform(0, 1.1 * whole_s))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


if __name__ == "__main__":
    main()
