"""Whether the tests in a browser are run, skipped, or fail for want of one."""

from __future__ import annotations

import os

import pytest

from tools.lab import BROWSER_VARIABLE, BROWSERS, find_browser

# Set to 1 where a missing browser is a failure, and not a reason to skip.
REQUIRE_VARIABLE = "BATCHOPS_REQUIRE_BROWSER"


def required_browser() -> str:
    """Return a browser's path; without one, fail where it is required and skip elsewhere."""
    path = find_browser()
    if path is not None:
        return path
    missing = f"no browser: none of {', '.join(BROWSERS)} is on PATH, {BROWSER_VARIABLE} is not set"
    if os.environ.get(REQUIRE_VARIABLE) == "1":
        pytest.fail(f"{missing}, and {REQUIRE_VARIABLE}=1 wants one", pytrace=False)
    pytest.skip(missing)
