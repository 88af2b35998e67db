"""The whole stack on the local engine, deployed once for all end-to-end tests.

Each stack has processes of its own for its functions, which take longer to start than a small job
to run: a test deploys another stack only where it changes or destroys it.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from e2e.inbox import Inbox

from batchops.local.engine import LocalEngine
from batchops.samples.sample import Sample, make_sample
from batchops.stack import Stack

ROWS = 5_000
# So many keys are known to the stacks of tests that write their rows themselves.
FEW = 400
SMALL_CHUNK_ROWS = 50


@pytest.fixture(scope="session")
def sample() -> Sample:
    return make_sample(ROWS)


@pytest.fixture(scope="session")
def reference(sample: Sample, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample's reference data."""
    return sample.write(tmp_path_factory.mktemp("sample")).reference


@pytest.fixture(scope="session")
def few_keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The first rows of the sample's reference data, which are loaded sooner."""
    return make_sample(FEW).write(tmp_path_factory.mktemp("few")).reference


@pytest.fixture(scope="session")
def stack(engine: LocalEngine, reference: Path) -> Stack:
    """A deployed stack with the sample's reference data, and the walkthrough's chunk size.

    It has the policies for people, which nobody has unless a test gives them one.
    """
    stack = Stack("e2e", engine=engine)
    stack.deploy(reference_data=reference, FileChunkSize=600, CreatePeoplePolicies=True)
    return stack  # it ends with its engine


@pytest.fixture(scope="session")
def small(engine: LocalEngine, few_keys: Path) -> Stack:
    """A deployed stack with chunks so small that a small file has several."""
    stack = Stack("small", engine=engine)
    stack.deploy(reference_data=few_keys, FileChunkSize=SMALL_CHUNK_ROWS)
    return stack


@pytest.fixture(scope="session")
def inbox(stack: Stack) -> Inbox:
    return Inbox(stack)


@pytest.fixture
def bucket(stack: Stack) -> str:
    return stack.outputs["SourceBucketName"]


@pytest.fixture(scope="session")
def project_root() -> Path:
    return Path(__file__).parents[2]
