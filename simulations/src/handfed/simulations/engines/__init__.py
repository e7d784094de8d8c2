"""Engines: ways of carrying messages between the one `ServerApp` and the one `ClientApp` on this machine.

Everything that knows Flower's simulation internals stays in this package. All engines give the same weights for the
same seed, to the bit.
"""

from handfed.simulations.engines import in_process, pool, ray
from handfed.simulations.engines.engine import Engine, MakeClientApp, Progress, Workers

ENGINES: dict[str, Engine] = {"in-process": in_process.run, "pool": pool.run, "ray": ray.run}

__all__ = ["ENGINES", "Engine", "MakeClientApp", "Progress", "Workers"]
