"""The doctor: what each check makes of what it finds, and that none of them ever raises."""

from __future__ import annotations

import json
import os
import socket
from dataclasses import asdict
from pathlib import Path
from typing import Any

import boto3
import psutil
import pytest
from botocore.stub import Stubber
from click.testing import CliRunner
from support import stack_ref

from batchops.cli import main
from batchops.core.errors import RegionError
from batchops.core.project import make_private
from batchops.inspection import doctor, doctor_aws
from batchops.inspection.checks import Check, Diagnosis, stack_checks
from batchops.inspection.doctor import run_doctor
from batchops.local import engine_process
from batchops.local.engine import LocalEngine
from batchops.stack import Stack

PARAMETERS = {
    "SESSender": "batch@example.org",
    "SESRecipient": "team@example.com",
    "SESIdentityName": "example.org",
}


def _client(service: str) -> Any:
    session = boto3.Session(
        aws_access_key_id="testing", aws_secret_access_key="testing", region_name="eu-west-1"
    )
    return session.client(service)


@pytest.fixture
def no_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


# ------------------------------------------------------------------------------ the diagnosis


def test_diagnosis_is_well_unless_a_check_says_no() -> None:
    good, unknown = Check("a", True, "there"), Check("b", None, "cannot tell", "ask")
    assert Diagnosis("s", (good, unknown)).ok
    assert "nothing stands in the way" in str(Diagnosis("s", (good, unknown)))
    bad = Diagnosis("s", (good, unknown, Check("c", False, "gone", "bring it back")))
    assert not bad.ok
    assert str(bad).splitlines()[0] == "stack s: to fix: c"
    assert "bring it back" in str(bad)
    assert bad.to_dict()["checks"][2] == {
        "name": "c",
        "ok": False,
        "found": "gone",
        "advice": "bring it back",
    }


# -------------------------------------------------------------------------------- this computer


def test_local_doctor_works_before_anything_is_started(tmp_path: Path) -> None:
    engine = LocalEngine(tmp_path / "engine", tmp_path / "env")
    diagnosis = run_doctor(Stack("new", engine=engine))
    found = {check.name: check for check in diagnosis.checks}
    assert found["project"].ok
    assert found["packages"].ok
    assert "boto3 " in found["packages"].found
    assert found["engine's packages"].ok is None
    assert "engine install" in found["engine's packages"].advice
    assert found["engine"].ok is None
    assert found["stack"].ok is None
    assert not (tmp_path / "engine").exists(), "a doctor changes nothing"


def test_an_engine_that_runs_and_does_not_answer_is_not_said_to_be_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BATCHOPS_HOME", str(tmp_path))
    home = make_private(tmp_path / "engine")
    with socket.socket() as nobody:  # which takes a port, and no connection
        nobody.bind(("127.0.0.1", 0))
        own = engine_process.EngineProcess(
            pid=os.getpid(),
            port=nobody.getsockname()[1],
            started_s=engine_process._started_s(psutil.Process()),
        )
        (home / "engine.json").write_text(json.dumps(asdict(own)))
        silent = LocalEngine().silent
        assert silent.startswith(f"the local engine (process {os.getpid()}) does not answer: ")
        shown = CliRunner().invoke(main, ["engine", "status"])
        assert (shown.exit_code, shown.stdout) == (3, f"{silent}\n")
        asked = CliRunner().invoke(main, ["jobs"])
        assert (asked.exit_code, asked.stderr) == (1, f"error: {silent}: try again in a moment\n")
        diagnosis = run_doctor(Stack("batchops", engine=LocalEngine()))
        found = {check.name: check.found for check in diagnosis.checks}
        assert (found["engine"], found["stack"]) == (silent, silent.partition(": ")[0])


def test_status_of_the_stack_is_read_once() -> None:
    cfn = _client("cloudformation")
    described = {
        "StackName": "s",
        "CreationTime": "2026-01-01",
        "StackStatus": "ROLLBACK_COMPLETE",
        "Parameters": [{"ParameterKey": "MaxConcurrency", "ParameterValue": "4"}],
    }
    with Stubber(cfn) as stub:
        stub.add_response("describe_stacks", {"Stacks": [described]})
        checks, parameters = stack_checks(stack_ref("s", outputs={}, cloudformation=cfn))
    assert [check.name for check in checks] == ["stack"]
    assert "ROLLBACK_COMPLETE" in checks[0].found
    assert parameters == {"MaxConcurrency": "4"}


def test_missing_project_is_a_line_with_what_to_do(tmp_path: Path) -> None:
    engine = LocalEngine(tmp_path / "engine", tmp_path / "env")
    diagnosis = run_doctor(Stack("new", engine=engine), project=tmp_path)
    (project,) = [check for check in diagnosis.checks if check.name == "project"]
    assert project.ok is False
    assert "template.yaml" in project.found
    assert "name a folder that 'batchops init' has laid out" in project.advice
    assert not diagnosis.ok


def test_disk_is_measured_where_the_state_will_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BATCHOPS_HOME", str(tmp_path / "not" / "there"))
    check = doctor.check_disk()
    assert check.ok is not None
    assert str(tmp_path / "not" / "there") in check.found


# ---------------------------------------------------------------------------------------- AWS


def test_without_credentials_the_rest_is_not_looked_at(no_credentials: None) -> None:
    diagnosis = run_doctor(Stack("new", target="aws", region="eu-west-1"))
    found = {check.name: check for check in diagnosis.checks}
    assert found["credentials"].ok is False
    assert "aws sso login" in found["credentials"].advice
    assert {found[name].ok for name in ("region", "stack", "Lambda", "mail")} == {None}


def test_without_region_the_doctor_says_so(no_credentials: None) -> None:
    diagnosis = run_doctor(Stack("new", target="aws"))
    (check,) = [check for check in diagnosis.checks if check.name == "credentials"]
    assert check.ok is False
    assert "no AWS region" in check.found


@pytest.mark.parametrize("region", ["cn-north-1", "us-gov-west-1", "us-iso-east-1"])
def test_other_partitions_are_refused_by_the_doctor_and_by_a_deployment(
    region: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "example")
    stack = Stack("new", target="aws", region=region)
    (check,) = [item for item in run_doctor(stack).checks if item.name == "credentials"]
    assert check.ok is False
    assert "partition" in check.found
    with pytest.raises(RegionError, match=f"{region} is of the partition aws-"):
        stack.deploy()


@pytest.mark.parametrize(("free", "ok"), [(573, True), (9, True), (8, False), (0, False)])
def test_lambda_must_have_more_executions_free_than_chunks_run_at_once(free: int, ok: bool) -> None:
    client = _client("lambda")
    limit = {"ConcurrentExecutions": 600, "UnreservedConcurrentExecutions": free}
    with Stubber(client) as stub:
        stub.add_response("get_account_settings", {"AccountLimit": limit})
        check = doctor_aws.check_concurrency(client, 8)
    assert check.ok is ok
    assert ("deploy with MaxConcurrency=" in check.advice) is not ok
    assert f"{free} of them unreserved" in check.found


@pytest.mark.parametrize(("reserved", "ok"), [(7, False), (8, True), (20, True)])
def test_executions_reserved_for_a_function_must_do_for_the_chunks(reserved: int, ok: bool) -> None:
    client = _client("lambda")
    # So much is reserved that little is free, which the functions do not need.
    limit = {"ConcurrentExecutions": 1000, "UnreservedConcurrentExecutions": 100}
    with Stubber(client) as stub:
        stub.add_response("get_account_settings", {"AccountLimit": limit})
        check = doctor_aws.check_concurrency(client, 8, reserved, jobs=10)
    assert check.ok is ok
    assert ("deploy with ReservedConcurrency=8" in check.advice) is not ok
    assert f"ReservedConcurrency {reserved}" in check.found
    assert "MaxConcurrency is 8, and up to 10 jobs run at a time" in check.found


def test_quotas_of_step_functions_that_matter_are_shown() -> None:
    client = _client("service-quotas")
    quotas = [
        {"QuotaName": "Maximum open executions", "Value": 1_000_000.0},
        {"QuotaName": "Registered activities", "Value": 10_000.0},
    ]
    with Stubber(client) as stub:
        stub.add_response("list_service_quotas", {"Quotas": quotas}, {"ServiceCode": "states"})
        check = doctor_aws.check_quotas(client)
    assert check == Check("Step Functions", True, "Maximum open executions 1,000,000")


@pytest.mark.parametrize(
    ("account", "ok", "says"),
    [
        ({"SendingEnabled": True, "ProductionAccessEnabled": True}, True, "200 mails a day"),
        ({"SendingEnabled": True, "ProductionAccessEnabled": False}, True, "sandbox"),
        ({"SendingEnabled": False, "ProductionAccessEnabled": True}, False, "disabled"),
    ],
)
def test_mail_account_tells_sandbox_and_suspension(
    account: dict[str, bool], ok: bool, says: str
) -> None:
    client = _client("sesv2")
    with Stubber(client) as stub:
        stub.add_response("get_account", {**account, "SendQuota": {"Max24HourSend": 200.0}})
        check = doctor_aws.check_mail_account(client)
    assert check.ok is ok
    assert says in check.found


@pytest.mark.parametrize("verified", [True, False])
def test_sender_needs_a_verified_identity(verified: bool) -> None:
    client = _client("sesv2")
    with Stubber(client) as stub:
        stub.add_response("get_email_identity", {"VerifiedForSendingStatus": verified})
        check = doctor_aws.check_sender(client, PARAMETERS)
    assert check.ok is verified
    assert ("verify example.org" in check.advice) is not verified


def test_identity_that_ses_does_not_know_is_not_verified() -> None:
    client = _client("sesv2")
    with Stubber(client) as stub:
        stub.add_client_error("get_email_identity", "NotFoundException")
        check = doctor_aws.check_sender(client, PARAMETERS)
    assert check.ok is False


@pytest.mark.parametrize(
    ("identity", "sender", "ok"),
    [
        ("example.org", "batch@Example.org", True),
        ("example.org", "batch@mail.example.org", True),
        ("batch@example.org", "batch@example.org", True),
        ("batch@example.org", "other@example.org", False),
        ("ample.org", "batch@example.org", False),
    ],
)
def test_sender_must_be_covered_by_the_identity(identity: str, sender: str, ok: bool) -> None:
    client = _client("sesv2")
    with Stubber(client) as stub:
        if ok:
            stub.add_response("get_email_identity", {"VerifiedForSendingStatus": True})
        names = {"SESIdentityName": identity, "SESSender": sender}
        check = doctor_aws.check_sender(client, names)
    assert check.ok is ok


def test_before_a_deployment_the_verified_identities_are_listed() -> None:
    client = _client("sesv2")
    known = [
        {"IdentityName": "example.org", "VerificationStatus": "SUCCESS"},
        {"IdentityName": "new@example.org", "VerificationStatus": "PENDING"},
    ]
    with Stubber(client) as stub:
        stub.add_response("list_email_identities", {"EmailIdentities": known})
        stub.add_response("list_email_identities", {"EmailIdentities": known[1:]})
        assert doctor_aws.check_sender(client, {}).found == "verified: example.org"
        none = doctor_aws.check_sender(client, {})
    assert none.ok is False
    assert "verify an address or a domain" in none.advice


@pytest.mark.parametrize(
    ("production", "address", "domain", "ok"),
    [
        (True, None, None, True),
        (False, True, None, True),
        (False, False, True, True),
        (False, False, False, False),
    ],
)
def test_recipient_must_be_verified_in_the_sandbox(
    production: bool, address: bool | None, domain: bool | None, ok: bool
) -> None:
    client = _client("sesv2")
    with Stubber(client) as stub:
        stub.add_response("get_account", {"ProductionAccessEnabled": production})
        for name, verified in (("team@example.com", address), ("example.com", domain)):
            if verified is not None:
                answer = {"VerifiedForSendingStatus": verified}
                stub.add_response("get_email_identity", answer, {"EmailIdentity": name})
        check = doctor_aws.check_recipient(client, PARAMETERS)
        stub.assert_no_pending_responses()
    assert check.ok is ok
    assert bool(check.advice) is not ok


@pytest.mark.parametrize(
    ("role", "says"), [("arn:aws:iam::1:role/r", "leaves alone"), (None, "gives it")]
)
def test_region_wide_role_for_api_logs_is_told(role: str | None, says: str) -> None:
    client = _client("apigateway")
    with Stubber(client) as stub:
        stub.add_response("get_account", {"cloudwatchRoleArn": role} if role else {})
        check = doctor_aws.check_api_logs(client)
    assert check.ok
    assert says in check.found


def test_quotas_that_may_not_be_read_are_no_fault() -> None:
    client = _client("service-quotas")
    with Stubber(client) as stub:
        stub.add_client_error("list_service_quotas", "AccessDeniedException")
        check = doctor_aws.check_quotas(client)
    assert check.ok is None
    assert "AccessDeniedException" in check.found
