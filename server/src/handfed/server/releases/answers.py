"""What the routes of releases give; the values within the record are in `schemas`."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

FileName = Literal["model.tflite", "browser.tflite", "manifest.json", "README.md"]


class ReleaseGiven(BaseModel):
    """A published INT8 model."""

    model_config = ConfigDict(from_attributes=True)

    number: int = Field(description="Never given twice.", examples=[3])
    run_id: int | None = Field(description="The run that made it.", examples=[12])
    task: str = Field(description="What it recognises.", examples=["digits"])
    recogniser: str = Field(description="What it is.", examples=["cnn"])
    sha256: str = Field(description="Of the model file, hex.", examples=["0" * 64])
    size_bytes: int = Field(description="Of the model file.", examples=[97_000])
    accuracy_float: float | None = Field(description="Held-out accuracy before conversion.", examples=[0.951])
    accuracy_int8: float | None = Field(description="Held-out accuracy of the file.", examples=[0.949])
    manifest: dict[str, Any] = Field(
        description="Its manifest, format 2; in a list without its self-test.", examples=[{}]
    )
    created_at: datetime = Field(description="When it was published.")
