"""Fixtures that several kinds of tests share."""

from __future__ import annotations

import functools
import gc
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import botocore.endpoint_provider
import botocore.loaders
import botocore.regions
import botocore.session
import pytest
from hypothesis import HealthCheck, settings

from batchops.core.project import checkout_root
from batchops.local.engine import LocalEngine

if TYPE_CHECKING:
    from collections.abc import Iterator

# Every engine of a test, whoever starts it, waits a tenth of what the workflows say before a retry.
# How often they retry stays, and what they say is held by tests/unit/test_retries.py.
os.environ["SFN_WAIT_SCALE"] = "0.1"

# jsonschema, which nbformat checks notebooks with, builds a parser of IRIs when it is imported: it
# takes as long as the rest of the imports, and no notebook is checked for IRIs.
sys.modules["rfc3987_syntax"] = None  # type: ignore[assignment]

# Each session of botocore parses the services' descriptions anew, which is most of what a client
# costs. Those of the tests share one loader, which keeps what it has parsed.
botocore.session.create_loader = functools.cache(botocore.loaders.create_loader)

# So does each client with the rules for its endpoint, a third of the rest. They come from that
# loader, which gives the same object each time, and do not change.
_RULES: dict[int, botocore.endpoint_provider.EndpointProvider] = {}


def _endpoint_rules(ruleset_data: object, **given: object) -> object:
    """Return the parsed rules of a service's description."""
    if id(ruleset_data) not in _RULES:
        parsed = botocore.endpoint_provider.EndpointProvider(ruleset_data=ruleset_data, **given)
        parsed.description = ruleset_data  # as long as that is there, no other has its id
        _RULES[id(ruleset_data)] = parsed
    return _RULES[id(ruleset_data)]


botocore.regions.EndpointProvider = _endpoint_rules

# How long an example takes depends on what else the machine does, so it fails no test.
settings.register_profile(
    "any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
# For make check; a test that names its number of examples keeps it.
settings.register_profile("quick", settings.get_profile("any machine"), max_examples=30)
settings.load_profile("any machine")

# Side by side, files that take long start first: the many short ones then fill up both ends.
TESTS = Path(__file__).parent
LONG_FIRST = ("browser", "integration", "e2e", "unit")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Order the tests by kind, the longest first."""
    items.sort(key=lambda item: LONG_FIRST.index(item.path.relative_to(TESTS).parts[0]))


def pytest_collection_finish() -> None:
    """Keep what the imported modules hold out of garbage collections: it saves a tenth."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalEngine]:
    """Give a running local engine with an empty account, stopped when the tests are through."""
    # The Python environment is the project's own, so that pip runs once and not for each run.
    engine = LocalEngine(tmp_path_factory.mktemp("engine"), checkout_root() / ".batchops")
    engine.start()
    yield engine
    engine.stop()
