"""Every error that batchops raises on purpose.

::

    BatchOpsError
    |-- InputError                   an argument, a parameter or a file is not usable
    |-- ProjectError                 the template or the checkout cannot be found
    |-- MissingExtraError            a package of an extra is not installed
    |-- PackagingError               an artifact cannot be built or stored
    |-- EngineError                  the local engine
    |   |-- EngineInstallError           its environment cannot be made
    |   |-- EngineStartError             it does not come up
    |   `-- EngineNotRunningError        it is needed, and does not run
    |-- AwsError                     a service refused a request, or cannot be reached
    |   |-- CredentialsError             none, expired or unknown
    |   |-- RegionError                  none configured
    |   |-- AccessDeniedError            the credentials may not do this
    |   `-- EndpointError                nothing answers at the address
    |-- StackError                   the CloudFormation stack
    |   |-- StackNotFoundError           no such stack
    |   |-- StackBusyError               another operation is under way
    |   |-- StackStuckError              a state that needs a decision first
    |   |-- StackTimeoutError            still working when the time was up
    |   `-- DeployFailedError            a resource, or the change set, failed
    |-- FunctionFailedError          a function that was called ended with an error
    `-- JobError                     one job
        |-- JobNotFoundError             no such job
        |-- JobFailedError               it ended without success
        |-- JobRunningError              it still runs
        `-- WaitTimeoutError             still running when the time was up

Code that has to decide finds what the message says in attributes, too. Errors of boto3 are turned
into this tree in one place, `translated`.
"""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING

from batchcore.texts import visible
from botocore import exceptions as boto_errors

if TYPE_CHECKING:
    from collections.abc import Iterator

# It deploys the workshop's stack as the first notebook does, and starts the local engine for it.
_SAMPLE_STACK = "bo.sample_stack(stack)"


class BatchOpsError(Exception):
    """Base of every error that this package raises on purpose.

    A notebook shows what it says and no traceback, because it says what to do. The traceback is in
    ``__traceback__``, for ``%debug`` too.
    """

    # What helps in a notebook, below the message.
    _helpful_cell = ""

    def _render_traceback_(self) -> list[str]:
        text = f"{type(self).__name__}: {visible(str(self))}"
        if self._helpful_cell:
            text += (
                "\nIn the workshop this cell sets all up; then run the one above again:"
                f"\n\n    {self._helpful_cell}"
            )
        return [text]


class InputError(BatchOpsError, ValueError):
    """An argument, a parameter or a file is not usable."""


class ProjectError(BatchOpsError):
    """The project's template or checkout cannot be found."""


class MissingExtraError(BatchOpsError, ImportError):
    """A package of one of batchops's extras is needed, and is not installed."""


class PackagingError(BatchOpsError):
    """An artifact cannot be built or stored."""


class EngineError(BatchOpsError):
    """The local engine cannot be used."""


class EngineInstallError(EngineError):
    """The engine's own environment cannot be made."""


class EngineStartError(EngineError):
    """The engine does not start.

    Attributes
    ----------
    log : str
        The last lines that the engine wrote.
    """

    def __init__(self, message: str, *, log: str = "") -> None:
        super().__init__(f"{message}\n{log}" if log else message)
        self.log = log


class EngineNotRunningError(EngineError):
    """The engine is needed, and does not run."""

    _helpful_cell = _SAMPLE_STACK


class AwsError(BatchOpsError):
    """A service refused a request, or cannot be reached.

    Attributes
    ----------
    code : str
        The service's own code of the error, or the name of boto3's error.
    """

    def __init__(self, message: str, *, code: str = "") -> None:
        super().__init__(message)
        self.code = code


class CredentialsError(AwsError):
    """There are no credentials, or AWS does not accept them."""


class RegionError(AwsError):
    """No region is configured."""


class AccessDeniedError(AwsError):
    """AWS accepts the credentials, but they lack a permission."""


class EndpointError(AwsError):
    """Nothing answers at the service's address."""


class StackError(BatchOpsError):
    """Something is wrong with a CloudFormation stack.

    Attributes
    ----------
    stack_name : str
        The stack that the error is about.
    """

    def __init__(self, message: str, *, stack_name: str) -> None:
        super().__init__(message)
        self.stack_name = stack_name


class StackNotFoundError(StackError):
    """There is no such stack."""

    _helpful_cell = _SAMPLE_STACK


class StackBusyError(StackError):
    """Another operation on the stack is under way."""


class StackStuckError(StackError):
    """The stack is in a state that needs a decision before it can be deployed.

    Attributes
    ----------
    status : str
        CloudFormation's name of the state.
    resource_type : str
        The type of the resource at which a deletion failed, such as ``AWS::S3::Bucket``; empty
        where it is not known.
    reason : str
        What CloudFormation says about it; empty where it says nothing.
    """

    def __init__(
        self,
        message: str,
        *,
        stack_name: str,
        status: str,
        resource_type: str = "",
        reason: str = "",
    ) -> None:
        super().__init__(message, stack_name=stack_name)
        self.status = status
        self.resource_type = resource_type
        self.reason = reason


class StackTimeoutError(StackError, TimeoutError):
    """An operation on the stack did not end in time."""


class DeployFailedError(StackError):
    """A resource failed, or CloudFormation refused the change set.

    Attributes
    ----------
    reason : str
        What CloudFormation said about the first failure.
    logical_id : str or None
        The resource that failed first; None where the template as a whole was refused.
    status : str or None
        The state in which the operation left the stack; None where nothing was begun.
    """

    def __init__(
        self,
        message: str,
        *,
        stack_name: str,
        reason: str,
        logical_id: str | None = None,
        status: str | None = None,
    ) -> None:
        super().__init__(message, stack_name=stack_name)
        self.reason = reason
        self.logical_id = logical_id
        self.status = status


class FunctionFailedError(BatchOpsError):
    """A function that was invoked ended with an error.

    Attributes
    ----------
    function, error_type : str
        The function, and the name of the error that it raised.
    log : str
        The end of its log, at most 4 KB.
    """

    def __init__(self, message: str, *, function: str, error_type: str, log: str) -> None:
        super().__init__(f"{message}\n{log}" if log else message)
        self.function = function
        self.error_type = error_type
        self.log = log


class JobError(BatchOpsError):
    """Something is wrong with a job.

    Attributes
    ----------
    job_id : str
        The job that the error is about.
    """

    def __init__(self, message: str, *, job_id: str) -> None:
        super().__init__(message)
        self.job_id = job_id


class JobNotFoundError(JobError):
    """There is no such job."""


class JobFailedError(JobError):
    """The job ended without success."""


class JobRunningError(JobError):
    """The job still runs, but must have ended for what was asked."""


class WaitTimeoutError(JobError, TimeoutError):
    """The job did not end in time."""


_EXPIRED = {"ExpiredToken", "ExpiredTokenException", "RequestExpired", "TokenRefreshRequired"}
_UNKNOWN = {
    "AuthFailure",
    "IncompleteSignature",
    "InvalidAccessKeyId",
    "InvalidClientTokenId",
    "InvalidToken",
    "SignatureDoesNotMatch",
    "UnrecognizedClientException",
}
_DENIED = {"403", "AccessDenied", "AccessDeniedException", "AuthorizationError"}
_DENIED |= {"AuthorizationErrorException", "UnauthorizedOperation"}

# What a stack had, and has no longer.
_GONE = {"NoSuchBucket", "ResourceNotFoundException", "StateMachineDoesNotExist"}
_GONE |= {"AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist"}

# boto3 does not read AWS_REGION (botocore 1.44, configprovider.py).
REGION_HINT = "pass region=..., or set AWS_DEFAULT_REGION or the profile's region"

_NO_CREDENTIALS = (
    boto_errors.NoCredentialsError,
    boto_errors.PartialCredentialsError,
    boto_errors.CredentialRetrievalError,
    boto_errors.ProfileNotFound,
)
_SIGNED_OUT = (boto_errors.SSOError, boto_errors.TokenRetrievalError)
_UNREACHABLE = (boto_errors.HTTPClientError, boto_errors.ConnectionError)
_LOCAL_HOSTS = ("://127.0.0.1", "://localhost")


@contextmanager
def translated(doing: str) -> Iterator[None]:
    """Turn the errors of boto3 that the block raises into errors that say what to do next.

    Parameters
    ----------
    doing
        What the block does, as it reads after "while": ``"reading the stack 'workshop'"``.
    """
    try:
        yield
    except (boto_errors.ClientError, boto_errors.BotoCoreError) as error:
        raise _translate(error, doing) from error


def _translate(
    error: boto_errors.ClientError | boto_errors.BotoCoreError, doing: str
) -> BatchOpsError:
    """Return an error that says what to do next in place of an error of boto3."""
    if isinstance(error, boto_errors.ClientError):
        return _from_service(error, doing)
    code = type(error).__name__
    if isinstance(error, _SIGNED_OUT):
        hint = "sign in again (aws sso login), then repeat this"
        return CredentialsError(f"the sign-in has ended while {doing}: {hint}", code=code)
    if isinstance(error, _NO_CREDENTIALS):
        hint = "name a profile, run 'aws configure' or 'aws sso login', or use target='local'"
        return CredentialsError(f"no AWS credentials while {doing} ({error}): {hint}", code=code)
    if isinstance(error, boto_errors.NoRegionError):
        return RegionError(f"no AWS region while {doing}: {REGION_HINT}", code=code)
    if isinstance(error, _UNREACHABLE):
        return _from_network(error, doing, code)
    return AwsError(f"{error} (while {doing})", code=code)


def _from_network(error: Exception, doing: str, code: str) -> BatchOpsError:
    if any(host in str(error) for host in _LOCAL_HOSTS):
        hint = "'batchops engine start', or a deployment, starts it with the state that it kept"
        return EngineNotRunningError(f"the local engine does not answer while {doing}: {hint}")
    hint = "check the network, the proxy settings and the region's name"
    return EndpointError(f"AWS cannot be reached while {doing} ({error}): {hint}", code=code)


def _from_service(error: boto_errors.ClientError, doing: str) -> AwsError:
    code = error.response.get("Error", {}).get("Code", "")
    message = error.response.get("Error", {}).get("Message", "") or code
    if code in _EXPIRED:
        hint = "sign in again (aws sso login, or new keys), then repeat this"
        return CredentialsError(f"the AWS credentials expired while {doing}: {hint}", code=code)
    if code in _UNKNOWN:
        hint = "check the profile, the access key and this computer's clock"
        return CredentialsError(
            f"AWS does not accept the credentials while {doing} ({message}): {hint}", code=code
        )
    if code in _DENIED:
        hint = f"the credentials lack permission for {error.operation_name}: have it granted"
        return AccessDeniedError(f"access denied while {doing} ({message}): {hint}", code=code)
    said = f"{error.operation_name} failed while {doing}: {message} ({code})"
    if code in _GONE:
        said += "; was the stack deleted or deployed again meanwhile? Look at its state"
    return AwsError(said, code=code)


def explain_failure(error: str, cause: str) -> str:
    """Return an execution's error and cause as text for a person.

    Lambda gives the cause as JSON with ``errorMessage`` and ``errorType``, others give text. Both
    may contain a file's name, which its uploader chose, so characters that steer a terminal are
    made visible. A cause that begins with the error's name stands alone, as "stopped by anna" does.
    """
    try:
        document = json.loads(cause)
    except ValueError:
        document = None
    if isinstance(document, dict):
        error = str(document.get("errorType", error))
        cause = str(document.get("errorMessage", cause))
    if cause.casefold().split()[:1] == [error.casefold()]:
        error = ""
    return visible(": ".join(filter(None, (error, cause)))) or "no reason was given"
