"""The notebooks executed on one local engine, each once, so that all set-up is paid for once."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from notebooks.executed import Bench

from batchops.core.project import checkout_root
from batchops.local.engine import LocalEngine
from tools.lab import make_home


@pytest.fixture(scope="session")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """A folder to run the notebooks in, with an engine of its own."""
    home = make_home(tmp_path_factory.mktemp("notebooks"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BATCHOPS_HOME", str(home))
        yield Bench(checkout_root() / "notebooks", home)
    LocalEngine(home / "engine", home).stop()
