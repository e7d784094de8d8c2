"""Types of fields that the schemas of several domains share; what they allow is in the OpenAPI document."""

from __future__ import annotations

import re
from typing import Annotated, Final

from fastapi import Path
from pydantic import AwareDatetime, BeforeValidator, Field

from handfed.server.api.pagination import MAX_NUMBER
from handfed.server.naming import MAX_NAME

# No control character, and no blank at either end; the services hold the rest.
_PRINTABLE: Final = r"^[^\s\x00-\x1f\x7f-\x9f]([^\x00-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f])?$"

# RFC 3339; pydantic alone would take a number for seconds since 1970.
_MOMENT: Final = r"^\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}:\d{2}(\.\d+)?([Zz]|[+-]\d{2}:\d{2})$"


def _written(text: object) -> object:
    if isinstance(text, str) and re.fullmatch(_MOMENT, text, re.ASCII) is None:
        raise ValueError("write a time as in RFC 3339: 2026-03-01T12:00:00Z")
    return text


Name = Annotated[str, Field(min_length=1, max_length=MAX_NAME, pattern=_PRINTABLE, examples=["Clinic North"])]
Number = Annotated[int, Path(ge=1, le=MAX_NUMBER, description="Its number.", examples=[1])]
Reference = Annotated[int, Field(ge=1, le=MAX_NUMBER, examples=[1])]
LifeSeconds = Annotated[int, Field(ge=60, le=315_360_000, examples=[86_400])]  # a minute to ten years
Moment = Annotated[AwareDatetime, BeforeValidator(_written), Field(examples=["2026-03-01T12:00:00Z"])]
# Up to 2**64 - 1, which a number of JavaScript does not hold.
NodeId = Annotated[str, BeforeValidator(str), Field(pattern=r"^\d{1,20}$", examples=["12345678901234567890"])]
