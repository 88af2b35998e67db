"""Check what a stack needs in an AWS account: credentials, quotas, mail, region settings."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from batchcore.texts import number_of
from botocore.exceptions import ClientError

from batchops.deployment.artifact_bucket import bucket_name
from batchops.deployment.settings import shipped_settings
from batchops.inspection.checks import Check, run_check, stack_checks

if TYPE_CHECKING:
    from mypy_boto3_apigateway import APIGatewayClient
    from mypy_boto3_lambda import LambdaClient

    from batchops.core.stack_ref import StackRef

# Names of quotas as Service Quotas lists them for Step Functions; which there are may change.
_STATES_QUOTAS = re.compile(
    r"open executions|map runs|StateTransition|StartExecution", re.IGNORECASE
)


def aws_checks(stack: StackRef) -> Iterator[Check]:
    """Yield the checks of the account; without credentials nothing is checked."""
    names = ("region", "stack", "artifacts", "Lambda", "Step Functions", "API Gateway", "mail")
    credentials = run_check("credentials", partial(check_credentials, stack))
    yield credentials
    if credentials.ok is not True:
        for name in names:
            yield Check(name, None, "not checked", "fix the credentials first")
        return
    yield Check("region", True, stack.target.region)
    checks, parameters = stack_checks(stack)
    yield from checks
    yield run_check("artifacts", partial(check_artifacts, stack))
    yield run_check("Lambda", partial(_check_lambda, stack, parameters))
    yield run_check("Step Functions", partial(check_quotas, stack.client("service-quotas")))
    yield run_check("API Gateway", partial(check_api_logs, stack.client("apigateway")))
    ses = stack.client("sesv2")
    yield run_check("mail account", partial(check_mail_account, ses))
    yield run_check("mail sender", partial(check_sender, ses, parameters))
    yield run_check("mail recipient", partial(check_recipient, ses, parameters))


def check_credentials(stack: StackRef) -> Check:
    """Check that there are credentials, and say whose."""
    answer = stack.client("sts").get_caller_identity()
    return Check("credentials", True, f"{answer['Arn']} in account {answer['Account']}")


def check_artifacts(stack: StackRef) -> Check:
    """Check that the bucket for artifacts can be used or created."""
    bucket = bucket_name(stack.target)
    try:
        stack.client("s3").head_bucket(Bucket=bucket, ExpectedBucketOwner=stack.target.account_id)
    except ClientError as error:
        code = error.response["Error"]["Code"]
        if code == "403":
            advice = "ask for S3 access to it, or use another region"
            return Check("artifacts", False, f"the bucket {bucket} refuses access", advice)
        if code != "404":
            raise
        return Check("artifacts", True, f"no bucket {bucket} yet: a deployment creates it")
    return Check("artifacts", True, f"the bucket {bucket}")


def _check_lambda(stack: StackRef, parameters: Mapping[str, str]) -> Check:
    deployed = parameters.get("MaxConcurrency")
    wanted = shipped_settings().max_concurrency if deployed is None else int(deployed)
    reserved = int(parameters.get("ReservedConcurrency", 0))
    jobs = int(parameters.get("MaxConcurrentJobs", 1))
    return check_concurrency(stack.client("lambda"), wanted, reserved, jobs=jobs)


def check_concurrency(
    client: LambdaClient, wanted: int, reserved: int = 0, *, jobs: int = 1
) -> Check:
    """Check that Lambda can run as many functions at once as chunks of a job may run.

    Those that are reserved for each function of a job are all that it may take.
    """
    limit = client.get_account_settings()["AccountLimit"]
    free = limit["UnreservedConcurrentExecutions"]
    found = (
        f"{limit['ConcurrentExecutions']:,} concurrent executions, {free:,} of them unreserved; "
        f"MaxConcurrency is {wanted:,}"
    )
    if jobs > 1:
        found += f", and up to {number_of(jobs, 'job')} run at a time (MaxConcurrentJobs)"
    if reserved:
        found += f", ReservedConcurrency {reserved:,}"
        advice = (
            f"deploy with ReservedConcurrency={wanted}; until then chunks are throttled and retried"
        )
        return Check("Lambda", reserved >= wanted, found, "" if reserved >= wanted else advice)
    if free > wanted:
        return Check("Lambda", True, found)
    advice = (
        f"deploy with MaxConcurrency={max(1, free - 2)}, or ask for a higher quota of Lambda's "
        "'Concurrent executions' (L-B99A9384 in Service Quotas); until then chunks are throttled "
        "and retried"
    )
    return Check("Lambda", False, found, advice)


def check_quotas(client: Any) -> Check:
    """Say the quotas of Step Functions that limit how much runs at once."""
    pages = client.get_paginator("list_service_quotas").paginate(ServiceCode="states")
    try:
        quotas = [quota for page in pages for quota in page["Quotas"]]
    except ClientError as error:
        # Nothing depends on knowing the quotas, so without permission this is no failure.
        code = error.response["Error"]["Code"]
        return Check("Step Functions", None, f"Service Quotas does not show its quotas ({code})")
    named = {quota["QuotaName"]: quota["Value"] for quota in quotas}
    shown = [f"{name} {named[name]:,.0f}" for name in sorted(named) if _STATES_QUOTAS.search(name)]
    if not shown:
        return Check("Step Functions", None, "Service Quotas lists none of its quotas")
    return Check("Step Functions", True, ", ".join(shown))


def check_api_logs(client: APIGatewayClient) -> Check:
    """Say whether the region has a role for API Gateway's logs; all its APIs share one."""
    role = client.get_account().get("cloudwatchRoleArn")
    if role:
        return Check("API Gateway", True, f"writes logs as {role}, which a deployment leaves alone")
    return Check("API Gateway", True, "no role for logs in this region: a deployment gives it one")


def check_mail_account(ses: Any) -> Check:
    """Check that Amazon SES can send, and say how much and to whom."""
    account = ses.get_account()
    quota = account.get("SendQuota", {})
    found = f"{number_of(int(quota.get('Max24HourSend', 0)), 'mail')} a day"
    if not account.get("SendingEnabled", False):
        advice = "see the account's status in the SES console"
        return Check("mail account", False, f"{found}, sending is disabled", advice)
    if not account.get("ProductionAccessEnabled", False):
        advice = "to mail anybody else, ask for production access in the SES console"
        return Check("mail account", True, f"{found}, sandbox: to verified addresses only", advice)
    return Check("mail account", True, found)


def check_sender(ses: Any, parameters: Mapping[str, str]) -> Check:
    """Check that the stack's SES identity is verified; without a stack, that there is one."""
    identity, sender = parameters.get("SESIdentityName"), parameters.get("SESSender", "")
    if identity is None:
        known = ses.list_email_identities(PageSize=1000).get("EmailIdentities", [])
        verified = [i["IdentityName"] for i in known if i.get("VerificationStatus") == "SUCCESS"]
        advice = "verify an address or a domain in the SES console, for SESIdentityName"
        found = f"verified: {', '.join(verified) or 'none'}"
        return Check("mail sender", bool(verified), found, "" if verified else advice)
    if not _covers(identity, sender):
        advice = "deploy with a SESSender that SESIdentityName covers"
        return Check(
            "mail sender", False, f"{sender} does not belong to the identity {identity}", advice
        )
    if _is_verified(ses, identity):
        return Check("mail sender", True, f"{sender}, identity {identity} is verified")
    advice = f"verify {identity} in the SES console; until then jobs succeed without mail"
    return Check("mail sender", False, f"the identity {identity} is not verified", advice)


def check_recipient(ses: Any, parameters: Mapping[str, str]) -> Check:
    """Check that Amazon SES can send to the stack's recipient."""
    recipient = parameters.get("SESRecipient")
    if recipient is None:
        return Check("mail recipient", None, "known when the stack is deployed")
    if ses.get_account().get("ProductionAccessEnabled", False):
        return Check("mail recipient", True, f"{recipient}: SES may mail anybody")
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
