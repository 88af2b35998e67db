"""Client and stack of different versions: what is said, and what is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from batchcore import items
from botocore.stub import Stubber
from support import ACCOUNT_ID, BUCKET, JOB_TABLE, REGION, SESSION, GivenClients, stack_ref

from batchops.core.column_names import key_name
from batchops.core.compatibility import VersionWarning, is_newer, misfit
from batchops.core.errors import AwsError, StackError
from batchops.core.execution_input import split_settings
from batchops.core.project import Project
from batchops.core.stack_ref import Outputs, StackRef
from batchops.core.version import __version__
from batchops.deployment.delivery import Order
from batchops.deployment.deploy import deploy_stack
from batchops.deployment.packaging import source_digest
from batchops.deployment.stack_status import stack_status
from batchops.stack import Stack

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from support import Account

LATER = "99.1.0"


def outputs(version: str | None = __version__, **more: str) -> dict[str, str]:
    found = {"JobTableName": JOB_TABLE, "LedgerFormat": str(items.LEDGER_FORMAT), **more}
    return found if version is None else {**found, "Version": version}


@pytest.fixture
def cfn() -> Iterator[tuple[Any, Stubber]]:
    client: Any = SESSION.client("cloudformation")
    with Stubber(client) as stub:
        yield client, stub


def describe(stub: Stubber, found: dict[str, str]) -> None:
    listed = [{"OutputKey": key, "OutputValue": value} for key, value in found.items()]
    described = {
        "StackName": "orders",
        "StackId": f"arn:aws:cloudformation:{REGION}:{ACCOUNT_ID}:stack/orders/1",
        "StackStatus": "UPDATE_COMPLETE",
        "CreationTime": 0,
        "Outputs": listed,
    }
    stub.add_response("describe_stacks", {"Stacks": [described]})


def test_stack_of_this_version_needs_no_word() -> None:
    assert misfit(outputs()) is None
    assert not is_newer(outputs())


@pytest.mark.parametrize("version", [None, "0.1.0", "0.2.0rc1", "not a version"])
def test_stack_of_an_earlier_version_is_to_be_deployed_again(version: str | None) -> None:
    assert not is_newer(outputs(version))
    told = misfit(outputs(version)) or ""
    assert told.endswith("deploy it to bring it up to date")
    assert (version or "before 0.2.0") in told


def test_stack_of_a_later_version_wants_a_later_client() -> None:
    assert is_newer(outputs(LATER))
    told = misfit(outputs(LATER)) or ""
    assert told.endswith(f"upgrade batchops to {LATER} or later")
    assert "cannot read" not in told


@pytest.mark.parametrize("ledger", [str(items.LEDGER_FORMAT + 1), "3.1", "b2", "", "²"])
def test_format_that_this_version_does_not_know_is_told(ledger: str) -> None:
    told = misfit(outputs(LATER, LedgerFormat=ledger)) or ""
    assert "in a format that this version cannot read" in told


READERS: dict[str, Callable[[Outputs], object]] = {
    "FileChunkSize": split_settings,
    "MaxConcurrentJobs": lambda outputs: outputs.number("MaxConcurrentJobs"),
    "SchemaDialect": lambda outputs: outputs.number("SchemaDialect", "1"),
    "KeyColumn": lambda outputs: key_name(stack_ref(outputs=outputs)),
}


@pytest.mark.parametrize("value", ["", "x", "²", "{"])
@pytest.mark.parametrize("name", READERS)
def test_output_that_cannot_be_read_is_named(name: str, value: str) -> None:
    given = Outputs({"FileDelimiter": ",", "InputArchiveFolder": "a", name: value}, "workshop")
    with pytest.raises(StackError, match=f"output {name} = {value!r}, which is not a .*upgrade"):
        READERS[name](given)


def test_jobs_and_submit_warn_of_a_stack_of_another_version(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    stack = Stack("orders", target="aws", region=REGION)
    given = outputs(LATER, SourceBucketName=BUCKET, FileDelimiter="comma")
    monkeypatch.setattr(stack, "_outputs", stack._outputs_of(given))
    with pytest.warns(VersionWarning, match="upgrade batchops"):
        assert stack.jobs().empty
    with pytest.warns(VersionWarning, match="upgrade batchops"):
        stack.submit(b"a,b\n1,2\n")
    assert account.keys() == ["input/upload.csv"]


def test_later_stack_is_not_deployed_over_unless_forced(cfn: tuple[Any, Stubber]) -> None:
    client, stub = cfn
    stack = StackRef("orders", GivenClients({"cloudformation": client}))
    for force in (False, True):
        describe(stub, outputs(LATER))
        if force:  # it goes on to what comes next, the files that the stack keeps
            stub.add_client_error("get_template", "AccessDenied")
        expected = "not allowed|denied" if force else "upgrade batchops .*force=True"
        with pytest.raises((StackError, AwsError), match=expected):
            deploy_stack(stack, Project.find(), Order(), force=force)
    stub.assert_no_pending_responses()


def test_status_tells_other_versions_and_changed_code(cfn: tuple[Any, Stubber]) -> None:
    client, stub = cfn
    stack, project = StackRef("orders", GivenClients({"cloudformation": client})), Project.find()

    def notes(found: dict[str, str]) -> tuple[str, ...]:
        describe(stub, found)
        return stack_status(stack, project).notes

    assert notes(outputs(SourceDigest=source_digest(project))) == ()
    assert notes(outputs()) == ()
    (note,) = notes(outputs(SourceDigest="another"))
    assert "differs from that in" in note
    (note,) = notes(outputs(LATER, SourceDigest="another"))
    assert "upgrade" in note
