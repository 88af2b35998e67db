"""The whole stack on the local engine, deployed once for all end-to-end tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from e2e.inbox import Inbox

from batchops.local.engine import LocalEngine
from batchops.samples.sample import Sample, make_sample
from batchops.stack import Stack

# Some keys of the reference data, for rows that a test writes itself.
ROWS = 5_000


@pytest.fixture(scope="session")
def sample() -> Sample:
    return make_sample(ROWS)


@pytest.fixture(scope="session")
def stack(
    engine: LocalEngine, sample: Sample, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stack]:
    """A deployed stack with small chunks and the sample's reference data."""
    files = sample.write(tmp_path_factory.mktemp("sample"))
    stack = Stack("e2e", engine=engine)
    stack.deploy(reference_data=files.reference)
    yield stack
    stack.destroy(dry_run=False)


@pytest.fixture(scope="session")
def inbox(stack: Stack) -> Inbox:
    return Inbox(stack)


@pytest.fixture
def bucket(stack: Stack) -> str:
    return stack.outputs["SourceBucketName"]


@pytest.fixture(scope="session")
def project_root() -> Path:
    return Path(__file__).parents[2]
