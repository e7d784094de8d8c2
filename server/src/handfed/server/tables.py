"""Every table of the database: a table is known to `Base.metadata` once its model is imported, which this does."""

from __future__ import annotations

import handfed.server.alerts.models
import handfed.server.api.models
import handfed.server.audit.models
import handfed.server.comparisons.models
import handfed.server.devices.models
import handfed.server.learning.models
import handfed.server.people.models
import handfed.server.promotion.models
import handfed.server.releases.models
import handfed.server.runs.models  # noqa: F401 - imported for their tables
