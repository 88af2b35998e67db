"""Fixtures that several kinds of tests share."""

from __future__ import annotations

import functools
import gc
import os
import signal
import sys
from typing import TYPE_CHECKING, Any

import botocore.endpoint_provider
import botocore.loaders
import botocore.regions
import botocore.session
import pytest
from hypothesis import HealthCheck, settings
from unsaved_engine import UnsavedEngine, discard
from xdist.scheduler import LoadFileScheduling

from batchops.core.project import checkout_root

if TYPE_CHECKING:
    from collections.abc import Iterator

    from batchops.local.engine import LocalEngine

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

# Files whose tests share what takes long to start: an engine with a deployed stack, or a browser
# with JupyterLab. Side by side, one process has all files of a group.
TOGETHER = {
    "e2e": (
        *("access", "bad_input", "concurrency", "deployer", "inspect", "large_merge"),
        *("other_clients", "people", "permissions", "plan", "repair", "rerun", "roles"),
        *("sample", "secrecy", "split_in_ranges", "uploads", "workflow", "workshop"),
    ),
    "browser": ("console", "gate", "notebooks"),
    "integration": ("cli", "cli_json", "readable_errors"),
}
GROUPS = {f"tests/{kind}/test_{n}.py": kind for kind, names in TOGETHER.items() for n in names}
# Then come the other files, those that take long before the others: the many short ones fill up
# both ends.
KINDS = ("browser", "integration", "e2e", "unit")
LONG = (
    *("workflow_runs", "function_merge_s3_files", "console", "error_pages", "plan", "sinks"),
    *("job_errors", "keeper", "function_split_ip_file", "definitions", "template", "csvtext"),
)


def pytest_configure() -> None:
    """Let fixtures end what they have started where the run is ended by a time-out."""
    signal.signal(signal.SIGTERM, lambda *_: pytest.exit("ended by SIGTERM"))


class Groups(LoadFileScheduling):
    """Gives each process a group of files, or a file, at a time."""

    def _split_scope(self, nodeid: str) -> str:
        file = super()._split_scope(nodeid)
        return GROUPS.get(file, file)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Groups:
    """Keep together what shares much."""
    return Groups(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Order the tests by group and kind, the longest first."""
    items.sort(key=_turn)


def _turn(item: pytest.Item) -> tuple[bool, int, bool]:
    kind, name = item.path.parent.name, item.path.stem.removeprefix("test_")
    if name in TOGETHER.get(kind, ()):
        return False, list(TOGETHER).index(kind), False
    return True, KINDS.index(kind), name not in LONG


def pytest_collection_finish() -> None:
    """Keep what the imported modules hold out of garbage collections: it saves a tenth."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalEngine]:
    """Give a running local engine with an empty account, stopped when the tests are through."""
    # The Python environment is the project's own, so that pip runs once and not for each run.
    home = tmp_path_factory.mktemp("home") / "engine"  # where BATCHOPS_HOME would have it
    engine = UnsavedEngine(home, checkout_root() / ".batchops")
    engine.start(timeout_s=600)
    yield engine
    discard(engine)
