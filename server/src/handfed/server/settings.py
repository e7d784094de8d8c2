"""What a server is set to: one value, made where a process begins and passed down.

For each setting the order is: the option of the command, then the environment, then `server.json` in the data
directory, then the default. `server.json` is written when a server begins to serve, so that other commands on the same
machine (`handfed invite`, say) know what it was started with; a start that is refused leaves it as it was. It holds no
secret, and so not the database's URL. Where nobody says what devices call the server, they call it by this machine's
host name.
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from handfed.server.registry.lifetimes import Lifetimes
from handfed.shared import data_directory
from handfed.shared.address import Address
from handfed.shared.errors import SettingError, StorageError
from handfed.shared.files import write_atomically
from handfed.shared.promotion.settings import PromotionSettings

ADDRESS_VARIABLE: Final = "HANDFED_ADDRESS"
FILE: Final = "server.json"
DEFAULT_PORT: Final = 8443
KEEP_ALIVE_S: Final = 75  # longer than devices keep an idle connection (5 s): a request on one that just ends is lost


def _checked_address(text: str) -> str:
    Address.parse(text)  # whose error says how one is written
    return text


class ServerSettings(BaseModel):
    """Settings of a server.

    Attributes:
        data_dir: Where everything is kept.
        database: URL of the database.
        address: What devices call the server: a host, and `:PORT` where the port is not the usual one.
        host: The address of this machine that it listens at.
        port: Where it listens.
        max_body_bytes: Of a request to the control API; keys and names are small.
        enrolments_per_minute: How many attempts to enrol an address has in a minute.
        promotion: What promotion is measured by, where it is not the default: settings of
            `handfed.shared.promotion.PromotionSettings` by name.
        lifetimes: How long what the registry's roles sign is valid.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")  # a file of a newer Handfed may say more

    data_dir: Path
    database: str = Field(repr=False)  # a URL may hold a password
    address: Annotated[str, AfterValidator(_checked_address)]
    host: str = "0.0.0.0"  # noqa: S104 - devices come from elsewhere
    port: Annotated[int, Field(ge=1, le=65_535)] = DEFAULT_PORT
    max_body_bytes: Annotated[int, Field(ge=1024)] = 65_536
    enrolments_per_minute: Annotated[int, Field(ge=1)] = 30
    promotion: Mapping[str, Any] = {}
    lifetimes: Lifetimes = Lifetimes()

    @classmethod
    def load(
        cls,
        data_dir: Path | None = None,
        database: str | None = None,
        *,
        address: str | None = None,
        port: int | None = None,
        host: str | None = None,
        promotion: Mapping[str, Any] | None = None,
        environment: Mapping[str, str] = os.environ,
    ) -> Self:
        """The settings of this machine's server.

        Args:
            data_dir: As the command line says; so are the next four.
            database: URL of the database.
            address: What devices call the server.
            port: Where it listens.
            host: The address of this machine that it listens at.
            promotion: Settings of promotion by name; those named take the place of earlier ones.
            environment: Variables of the process.

        Raises:
            SettingError: A setting is out of its range, or `server.json` cannot be read.
        """
        directory = data_directory.locate(data_dir)
        told = {
            "address": address or environment.get(ADDRESS_VARIABLE),
            "port": port,
            "host": host,
        }
        written = _written(directory)
        values = written | {name: value for name, value in told.items() if value is not None}
        if promotion:
            earlier = written.get("promotion")
            values["promotion"] = {**(earlier if isinstance(earlier, dict) else {}), **promotion}
        listening = values.get("port", DEFAULT_PORT)
        values.setdefault("address", socket.gethostname() + ("" if listening == DEFAULT_PORT else f":{listening}"))
        places = {"data_dir": directory, "database": data_directory.database_url(directory, database)}
        try:
            found = cls.model_validate(values | places)
        except ValidationError as error:
            first = error.errors()[0]
            raise SettingError(f"the setting {first['loc'][0]} cannot be used: {first['msg']}") from None
        found.promotion_settings()
        return found

    def promotion_settings(self) -> PromotionSettings:
        """What promotion is measured by.

        Raises:
            SettingError: A setting is unknown or out of its range.
        """
        return PromotionSettings.of(self.promotion)

    def save(self) -> None:
        """Writes `server.json`.

        Raises:
            StorageError: The data directory cannot be written.
        """
        content = self.model_dump_json(exclude={"data_dir", "database"}, indent=2)
        write_atomically(self.data_dir / FILE, content.encode() + b"\n")

    @property
    def authority(self) -> Path:
        """The certificate of the federation's CA, PEM."""
        return self.data_dir / "authority" / "ca.pem"


def _written(directory: Path) -> dict[str, object]:
    """What `server.json` says; nothing where there is none."""
    path = directory / FILE
    try:
        read = json.loads(path.read_bytes())
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise StorageError(f"cannot read {path}: {error.strerror}") from error
    except ValueError as error:
        raise SettingError(f"{path} is no JSON: mend it, or remove it and start the server anew") from error
    return read if isinstance(read, dict) else {}
