"""A key registry in memory: what a registry must do, in its simplest form. Services are tried with it."""

from __future__ import annotations

from handfed.server.devices.registry import RegistryError


class MemoryRegistry:
    """Lets keys in, as `KeyRegistry` asks; forgets them when the process ends.

    Attributes:
        keys: The keys that are let in, by node id.
        is_there: Whether it can be reached.
    """

    def __init__(self) -> None:
        self.keys: dict[int, str] = {}
        self.is_there = True
        self._last = (1 << 63) - 1  # ids that no signed number holds, as Flower's

    def register(self, public_key: str) -> int:
        """Lets a key in."""
        known = self.find(public_key)
        if known is not None:
            return known
        self._last += 1
        self.keys[self._last] = public_key
        return self._last

    def find(self, public_key: str) -> int | None:
        """The node id of a key that is let in."""
        if not self.is_there:
            raise RegistryError("the key registry cannot be reached")
        return next((node_id for node_id, key in self.keys.items() if key == public_key), None)

    def unregister(self, node_id: int) -> None:
        """Lets a key in no more."""
        if not self.is_there:
            raise RegistryError("the key registry cannot be reached")
        self.keys.pop(node_id, None)
