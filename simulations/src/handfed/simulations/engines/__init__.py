"""Engines: ways of carrying messages between the one `ServerApp` and the one `ClientApp` on this machine.

Everything that knows Flower's simulation internals stays in this package.
"""

from handfed.simulations.engines import in_process
from handfed.simulations.engines.engine import Engine, Progress

ENGINES: dict[str, Engine] = {"in-process": in_process.run}

__all__ = ["ENGINES", "Engine", "Progress"]
