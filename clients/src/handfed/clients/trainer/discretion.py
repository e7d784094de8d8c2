"""What goes wrong on a device stays there: Flower sends the text of an exception to the server."""

from __future__ import annotations

import logging
import traceback

from flwr.app import Context, Message
from flwr.clientapp.typing import ClientAppCallable

from handfed.shared.errors import HandfedError


class DeviceError(HandfedError):
    """A device cannot take part; the message is safe to leave the device."""


def discreet(message: Message, context: Context, call_next: ClientAppCallable) -> Message:
    """A Flower mod: of an error, nothing but its kind leaves the device.

    Raises:
        DeviceError: Anything went wrong; but for an error that is safe to send, it names the kind alone.
    """
    try:
        return call_next(message, context)
    except DeviceError:
        raise
    except Exception as error:  # noqa: BLE001 - the edge of a device: nothing may leave it unseen
        # Not the error's text, which may name a file or a label: its kind, and where in the code.
        place = traceback.extract_tb(error.__traceback__)[-1]
        kind = type(error).__name__
        logging.getLogger(__name__).error(  # noqa: TRY400 - a traceback would end with that text
            "no answer to %s: %s in %s, line %s", message.metadata.message_type, kind, place.name, place.lineno
        )
        raise DeviceError(f"the device failed with {kind}; its own log says where") from None
