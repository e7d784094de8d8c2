"""The frame of the HTTP API: who asks, problems, pages, idempotency, limits, headers."""
