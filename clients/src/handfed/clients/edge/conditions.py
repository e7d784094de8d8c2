"""When a device may pull by itself: on mains, on a network that does not count bytes, at its hours.

What a machine does not tell counts as good: a server in a rack has no battery, and most machines no NetworkManager.

Source: the kernel's sysfs-class-power; NetworkManager's D-Bus API, property Metered (NMMetered).
"""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from handfed.clients.device.hours import Hours

_SUPPLIES: Final = Path("/sys/class/power_supply")
_METERED: Final = {"1", "3"}  # yes, and yes as far as can be guessed
_NETWORK_MANAGER: Final = "org.freedesktop.NetworkManager"
_PATIENCE_S: Final = 5.0


@dataclass(frozen=True)
class Conditions:
    """What has to hold.

    Attributes:
        on_mains: Whether it must not run on a battery.
        unmetered: Whether its network must not be metered.
        hours: The part of the day; None for all of it.
    """

    on_mains: bool = True
    unmetered: bool = True
    hours: Hours | None = None

    def unmet(self, moment: datetime) -> str | None:
        """What does not hold, for people; None where all does.

        Args:
            moment: Now, by this machine's clock.
        """
        if self.hours is not None and not self.hours.includes(moment.time()):
            return f"outside the hours {self.hours}"
        if self.on_mains and runs_on_battery():
            return "on battery"
        if self.unmetered and is_metered():
            return "the network is metered"
        return None


def runs_on_battery(supplies: Path = _SUPPLIES) -> bool:
    """Whether a battery feeds the machine, and nothing else does.

    Args:
        supplies: Where the kernel tells of power supplies.
    """
    discharging = False
    for supply in sorted(supplies.glob("*")):
        kind = _word(supply / "type")
        if kind in {"Mains", "USB"} and _word(supply / "online") == "1":
            return False
        # Of a mouse or a pen says scope Device.
        if kind == "Battery" and _word(supply / "scope") != "Device" and _word(supply / "status") == "Discharging":
            discharging = True
    return discharging


def is_metered() -> bool:
    """Whether NetworkManager says so of the network that leads out."""
    busctl = shutil.which("busctl")
    if busctl is None:
        return False
    path = f"/{_NETWORK_MANAGER.replace('.', '/')}"
    command = [busctl, "--system", "get-property", _NETWORK_MANAGER, path, _NETWORK_MANAGER, "Metered"]
    try:
        said = subprocess.run(command, capture_output=True, timeout=_PATIENCE_S, check=False)  # noqa: S603 - fixed
    except (OSError, subprocess.TimeoutExpired):
        return False
    *_, last = said.stdout.decode("ascii", "replace").split() or [""]
    return last in _METERED


def _word(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        return ""
