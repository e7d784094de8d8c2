"""What the tests of the pages' files share."""

from __future__ import annotations

import warnings

with warnings.catch_warnings():  # Starlette asks for httpx2
    warnings.simplefilter("ignore")
    import starlette.testclient  # noqa: F401 - so that the tests' own import of it warns no more
