"""Fixtures that several kinds of tests share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from batchops.core.project import checkout_root
from batchops.local.engine import LocalEngine

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalEngine]:
    """Give a running local engine with an empty account, stopped when the tests are through."""
    # The Python environment is the project's own, so that pip runs once and not for each run.
    engine = LocalEngine(tmp_path_factory.mktemp("engine"), checkout_root() / ".batchops")
    engine.start()
    yield engine
    engine.stop()
