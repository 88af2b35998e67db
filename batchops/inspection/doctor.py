"""What is missing before anything starts, and what to do about it."""

from __future__ import annotations

import html
import importlib.util
import os
import platform
import re
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
from botocore.exceptions import BotoCoreError, ClientError

from batchops.deployment import artifacts
from batchops.deployment.resources import NOT_DEPLOYED, stack_status
from batchops.errors import (
    AccessDeniedError,
    AwsError,
    BatchOpsError,
    EngineNotRunningError,
    translate,
)
from batchops.local import engine_env
from batchops.project import Project, state_home
from batchops.views import markup, texts

if TYPE_CHECKING:
    from mypy_boto3_apigateway import APIGatewayClient
    from mypy_boto3_lambda import LambdaClient

    from batchops.local.engine import LocalEngine
    from batchops.stack import Stack

_COLUMNS = ("", "check", "found", "what to do")
_MARKS = {True: "ok", False: "NO", None: "?"}

# The engine's environment has 110 MB and a layer 20 MB, as measured; the rest is for files.
_FREE_BYTES = 1_000_000_000
_NAME_CHARACTERS = 41
_DEFAULT_CONCURRENCY = 8  # the template's MaxConcurrency
# Names of quotas as Service Quotas lists them for Step Functions; which there are may change.
_STATES_QUOTAS = re.compile(
    r"open executions|map runs|StateTransition|StartExecution", re.IGNORECASE
)


@dataclass(frozen=True)
class Check:
    """One thing that was looked at.

    Attributes
    ----------
    name : str
        What was looked at.
    ok : bool or None
        None: it cannot be told, or there is nothing yet to be judged.
    found : str
        What is there.
    advice : str
        What to do next; empty where nothing is to be done.
    """

    name: str
    ok: bool | None
    found: str
    advice: str = ""


@dataclass(frozen=True)
class Diagnosis:
    """What was looked at, in order.

    Attributes
    ----------
    stack_name : str
        The stack that it is about.
    checks : tuple of Check
        One for each thing.
    """

    stack_name: str
    checks: tuple[Check, ...]

    @property
    def ok(self) -> bool:
        """Whether nothing was found that has to be mended."""
        return not any(check.ok is False for check in self.checks)

    def __str__(self) -> str:
        """Return it as a table, under a line that says how it stands."""
        return f"{self._summary()}\n{texts.text_table(_COLUMNS, self._rows())}"

    def _repr_html_(self) -> str:
        return f"<p>{html.escape(self._summary())}</p>{markup.table(_COLUMNS, self._rows())}"

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain values, for JSON."""
        checks = [asdict(check) for check in self.checks]
        return {"stack": self.stack_name, "ok": self.ok, "checks": checks}

    def _summary(self) -> str:
        wrong = [check.name for check in self.checks if check.ok is False]
        verdict = f"to be mended: {', '.join(wrong)}" if wrong else "nothing stands in the way"
        return f"stack {self.stack_name}: {verdict}"

    def _rows(self) -> list[tuple[str, ...]]:
        return [(_MARKS[c.ok], c.name, c.found, c.advice) for c in self.checks]


def run_doctor(stack: Stack, *, project: str | Path | None = None) -> Diagnosis:
    """Look at everything that a deployment or a job needs. Nothing is started or changed.

    Parameters
    ----------
    stack
        The stack, deployed or not.
    project
        The checkout, if not the one that this package runs from.

    Returns
    -------
    Diagnosis
        A check that fails, or that is not allowed, is a line of it and never an error.
    """
    checks = [
        _run("Python", check_python),
        _run("packages", check_packages),
        _run("project", partial(check_project, project)),
        _run("disk", check_disk),
        Check("stack's name", True, f"{len(stack.name)} of {_NAME_CHARACTERS} characters"),
        *(_engine_checks(stack) if stack.target.local else _aws_checks(stack)),
    ]
    return Diagnosis(stack.name, tuple(checks))


def _run(name: str, check: Callable[[], Check]) -> Check:
    """Make a check; where it meets an error, that is what was found."""
    failure: BatchOpsError | OSError
    try:
        return check()
    except (ClientError, BotoCoreError) as error:
        failure = translate(error, doing=f"looking at: {name}")
    except (BatchOpsError, OSError) as error:
        failure = error
    ok = None if isinstance(failure, AccessDeniedError | OSError) else False
    # Errors of this package end in what to do; those that a service worded do not.
    worded = type(failure) is AwsError or isinstance(failure, OSError)
    found, colon, advice = str(failure).rpartition(": ")
    return Check(name, ok, found, advice) if colon and not worded else Check(name, ok, str(failure))


# ---------------------------------------------------------------------------- this computer


def check_python() -> Check:
    """Tell the Python that runs this, and whether it can build layers and environments."""
    found = f"{platform.python_version()} ({sys.executable})"
    lacking = [name for name in ("pip", "ensurepip") if importlib.util.find_spec(name) is None]
    if lacking:
        advice = "layers and the local engine are installed with them: install python3-venv and pip"
        return Check("Python", False, f"{found}, without {' and '.join(lacking)}", advice)
    return Check("Python", True, found)


def check_packages() -> Check:
    """Tell the versions of the packages that batchops depends on."""
    try:
        wanted = [line for line in requires("batchops") or [] if "extra ==" not in line]
    except PackageNotFoundError:
        return Check(
            "packages", None, "batchops is not installed", "pip install -e . in a checkout"
        )
    found, lacking = [], []
    for line in wanted:
        name = re.split(r"[^A-Za-z0-9._-]", line, maxsplit=1)[0]
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            lacking.append(line)
    if lacking:
        return Check("packages", False, f"not installed: {', '.join(lacking)}", "pip install -e .")
    return Check("packages", True, ", ".join(found))


def check_project(root: str | Path | None) -> Check:
    """Tell whether there is a template to deploy."""
    return Check("project", True, str(Project.find(root).root))


def check_disk() -> Check:
    """Tell the space for builds and for the local engine's state."""
    folder = state_home()
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    found = f"{free / 1e9:,.1f} GB free for {state_home()}"
    if not os.access(folder, os.W_OK):
        return Check("disk", False, f"{folder} is not writable", "set BATCHOPS_HOME to a folder")
    advice = "" if free >= _FREE_BYTES else "free some, or set BATCHOPS_HOME to another disk"
    return Check("disk", free >= _FREE_BYTES, found, advice)


# --------------------------------------------------------------------------------- the engine


def _engine_checks(stack: Stack) -> Iterator[Check]:
    engine = stack.target.engine
    if engine is not None:
        yield _run("engine's packages", partial(check_engine_packages, engine))
        yield from check_engine(engine)
    yield _run("stack", partial(check_stack, stack))


def check_engine_packages(engine: LocalEngine) -> Check:
    """Tell whether the engine's own Python environment is there."""
    if engine_env.is_installed(engine.env_home):
        return Check("engine's packages", True, ", ".join(engine_env.pins()[:3]) + " ...")
    advice = "batchops engine install, or deploy(), which does it once"
    return Check("engine's packages", None, "not installed yet", advice)


def check_engine(engine: LocalEngine) -> Iterator[Check]:
    """Tell whether the engine runs, and that it is reached from this computer only."""
    info = engine.find()
    if info is None:
        yield Check("engine", None, "does not run", "deploy() starts it; its state is kept")
        return
    yield Check("engine", True, f"{info.endpoint_url}, process {info.pid}")
    try:
        sockets = psutil.Process(info.pid).net_connections(kind="inet")
    except psutil.Error as error:
        yield Check("engine's ports", None, f"this system does not tell ({error})")
        return
    listening = {(s.laddr.ip, s.laddr.port) for s in sockets if s.status == psutil.CONN_LISTEN}
    found = ", ".join(f"{ip}:{port}" for ip, port in sorted(listening))
    private = all(ip.startswith("127.") or ip == "::1" for ip, _ in listening)
    advice = "" if private else "anybody on the network reaches it: batchops engine stop"
    yield Check("engine's ports", private, found, advice)


def check_stack(stack: Stack) -> Check:
    """Tell how the stack stands."""
    try:
        status = stack_status(stack)
    except EngineNotRunningError:
        return Check("stack", None, "the engine does not run", "deploy() starts it")
    if status.status == NOT_DEPLOYED:
        return Check("stack", None, "not deployed", status.advice)
    return Check("stack", status.deployed or None, status.status, status.advice)


# ------------------------------------------------------------------------------------- AWS


def _aws_checks(stack: Stack) -> Iterator[Check]:
    names = ("region", "stack", "artefacts", "Lambda", "Step Functions", "API Gateway", "mail")
    credentials = _run("credentials", partial(check_credentials, stack))
    yield credentials
    if credentials.ok is not True:
        for name in names:
            yield Check(name, None, "not looked at", "credentials first")
        return
    yield Check("region", True, stack.target.region)
    yield _run("stack", partial(check_stack, stack))
    yield _run("artefacts", partial(check_artefacts, stack))
    try:
        parameters = stack_status(stack).parameters
    except BatchOpsError:
        parameters = {}
    wanted = int(parameters.get("MaxConcurrency", _DEFAULT_CONCURRENCY))
    yield _run("Lambda", partial(check_concurrency, stack.client("lambda"), wanted))
    yield _run("Step Functions", partial(check_quotas, stack.client("service-quotas")))
    yield _run("API Gateway", partial(check_api_logs, stack.client("apigateway")))
    ses = stack.client("sesv2")
    yield _run("mail account", partial(check_mail_account, ses))
    yield _run("mail sender", partial(check_sender, ses, parameters))
    yield _run("mail recipient", partial(check_recipient, ses, parameters))


def check_credentials(stack: Stack) -> Check:
    """Tell whose credentials are used."""
    answer = stack.client("sts").get_caller_identity()
    return Check("credentials", True, f"{answer['Arn']} in account {answer['Account']}")


def check_artefacts(stack: Stack) -> Check:
    """Tell whether the bucket for artefacts can be used, or is free to be made."""
    bucket = artifacts.bucket_name(stack.target)
    try:
        stack.client("s3").head_bucket(Bucket=bucket, ExpectedBucketOwner=stack.target.account_id)
    except ClientError as error:
        code = error.response["Error"]["Code"]
        if code == "403":
            advice = "have s3 access to it granted, or use another region"
            return Check("artefacts", False, f"the bucket {bucket} refuses access", advice)
        if code != "404":
            raise
        return Check("artefacts", True, f"no bucket {bucket} yet: deploy() makes it")
    return Check("artefacts", True, f"the bucket {bucket}")


def check_concurrency(client: LambdaClient, wanted: int) -> Check:
    """Tell whether Lambda runs as many functions at once as there are to be chunks at once."""
    limit = client.get_account_settings()["AccountLimit"]
    free = limit["UnreservedConcurrentExecutions"]
    found = (
        f"{limit['ConcurrentExecutions']:,} concurrent executions, {free:,} of them unreserved; "
        f"MaxConcurrency is {wanted:,}"
    )
    if free > wanted:
        return Check("Lambda", True, found)
    advice = (
        f"deploy(MaxConcurrency={max(1, free - 2)}), or have Lambda's quota 'Concurrent "
        "executions' (L-B99A9384 in Service Quotas) raised; till then chunks are throttled and "
        "retried"
    )
    return Check("Lambda", False, found, advice)


def check_quotas(client: Any) -> Check:
    """Tell the quotas of Step Functions that bound how much goes on at once."""
    pages = client.get_paginator("list_service_quotas").paginate(ServiceCode="states")
    try:
        quotas = [quota for page in pages for quota in page["Quotas"]]
    except ClientError as error:
        # They are good to know, and nothing depends on knowing them.
        code = error.response["Error"]["Code"]
        return Check("Step Functions", None, f"Service Quotas does not tell its quotas ({code})")
    named = {quota["QuotaName"]: quota["Value"] for quota in quotas}
    shown = [f"{name} {named[name]:,.0f}" for name in sorted(named) if _STATES_QUOTAS.search(name)]
    if not shown:
        return Check("Step Functions", None, "Service Quotas lists none of its quotas")
    return Check("Step Functions", True, ", ".join(shown))


def check_api_logs(client: APIGatewayClient) -> Check:
    """Tell whether the region has a role for API Gateway's logs; it is one for all APIs."""
    role = client.get_account().get("cloudwatchRoleArn")
    if role:
        return Check("API Gateway", True, f"writes logs as {role}, which deploy() leaves alone")
    return Check("API Gateway", True, "no role for logs in this region: deploy() gives it one")


def check_mail_account(ses: Any) -> Check:
    """Tell whether Amazon SES sends, how much, and to whom."""
    account = ses.get_account()
    quota = account.get("SendQuota", {})
    found = f"{quota.get('Max24HourSend', 0):,.0f} mails a day"
    if not account.get("SendingEnabled", False):
        advice = "see the account's status in the SES console"
        return Check("mail account", False, f"{found}, sending is disabled", advice)
    if not account.get("ProductionAccessEnabled", False):
        advice = "to mail anybody else, ask for production access in the SES console"
        return Check("mail account", True, f"{found}, sandbox: to verified addresses only", advice)
    return Check("mail account", True, found)


def check_sender(ses: Any, parameters: Mapping[str, str]) -> Check:
    """Tell whether the stack may send with its identity; before a deployment, which there are."""
    identity, sender = parameters.get("SESIdentityName"), parameters.get("SESSender", "")
    if identity is None:
        known = ses.list_email_identities(PageSize=1000).get("EmailIdentities", [])
        verified = [i["IdentityName"] for i in known if i.get("VerificationStatus") == "SUCCESS"]
        advice = "verify an address or a domain in the SES console, for SESIdentityName"
        found = f"verified: {', '.join(verified) or 'none'}"
        return Check("mail sender", bool(verified), found, "" if verified else advice)
    if not _covers(identity, sender):
        advice = "deploy with a SESSender that SESIdentityName covers"
        return Check("mail sender", False, f"{sender} is not of the identity {identity}", advice)
    if _is_verified(ses, identity):
        return Check("mail sender", True, f"{sender}, identity {identity} is verified")
    advice = f"verify {identity} in the SES console; till then jobs succeed without mail"
    return Check("mail sender", False, f"the identity {identity} is not verified", advice)


def check_recipient(ses: Any, parameters: Mapping[str, str]) -> Check:
    """Tell whether Amazon SES sends to the stack's recipient."""
    recipient = parameters.get("SESRecipient")
    if recipient is None:
        return Check("mail recipient", None, "known when the stack is deployed")
    if ses.get_account().get("ProductionAccessEnabled", False):
        return Check("mail recipient", True, f"{recipient}: anybody may be mailed")
    if any(_is_verified(ses, name) for name in (recipient, recipient.rpartition("@")[2])):
        return Check("mail recipient", True, f"{recipient} is verified")
    advice = "verify it in the SES console, or ask there for production access"
    found = f"{recipient} is not verified, and the account is in the sandbox"
    return Check("mail recipient", False, found, advice)


def _covers(identity: str, sender: str) -> bool:
    domain = sender.rpartition("@")[2].lower()
    name = identity.lower()
    return name == sender.lower() or domain == name or domain.endswith(f".{name}")


def _is_verified(ses: Any, identity: str) -> bool:
    try:
        answer = ses.get_email_identity(EmailIdentity=identity)
    except ses.exceptions.NotFoundException:
        return False
    return bool(answer.get("VerifiedForSendingStatus"))
