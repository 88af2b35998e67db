"""Errors of boto3 become errors that say what to do next."""

from __future__ import annotations

from typing import Any

import pytest
from botocore import exceptions as boto_errors
from IPython.core.interactiveshell import InteractiveShell

from batchops.core import errors
from batchops.core.errors import BatchOpsError, EngineNotRunningError, StackNotFoundError


def service_error(code: str) -> boto_errors.ClientError:
    answer: Any = {"Error": {"Code": code, "Message": "because"}}
    return boto_errors.ClientError(answer, "DescribeStacks")


@pytest.mark.parametrize(
    ("code", "kind", "hint"),
    [
        ("ExpiredToken", errors.CredentialsError, "sign in again"),
        ("ExpiredTokenException", errors.CredentialsError, "sign in again"),
        ("UnrecognizedClientException", errors.CredentialsError, "check the profile"),
        ("SignatureDoesNotMatch", errors.CredentialsError, "clock"),
        ("AccessDenied", errors.AccessDeniedError, "permission for DescribeStacks"),
        ("AccessDeniedException", errors.AccessDeniedError, "have it granted"),
        ("LimitExceededException", errors.AwsError, "DescribeStacks failed"),
    ],
)
def test_each_refusal_has_its_own_next_step(
    code: str, kind: type[errors.BatchOpsError], hint: str
) -> None:
    error = service_error(code)
    with pytest.raises(errors.AwsError) as caught, errors.translated("reading the stack"):
        raise error
    assert caught.type is kind
    assert hint in str(caught.value)
    assert "reading the stack" in str(caught.value)
    assert caught.value.code == code
    assert caught.value.__cause__ is error


@pytest.mark.parametrize(
    ("error", "kind", "hint"),
    [
        (boto_errors.NoCredentialsError(), errors.CredentialsError, "profile"),
        (boto_errors.ProfileNotFound(profile="x"), errors.CredentialsError, "profile"),
        (boto_errors.UnauthorizedSSOTokenError(), errors.CredentialsError, "aws sso login"),
        (boto_errors.NoRegionError(), errors.RegionError, "region="),
        (
            boto_errors.EndpointConnectionError(endpoint_url="https://s3.nowhere.example"),
            errors.EndpointError,
            "proxy",
        ),
        (
            boto_errors.EndpointConnectionError(endpoint_url="http://127.0.0.1:9/"),
            errors.EngineNotRunningError,
            "batchops engine start",
        ),
        (boto_errors.ParamValidationError(report="x"), errors.AwsError, "x"),
    ],
)
def test_each_failure_of_the_client_has_its_own_next_step(
    error: boto_errors.BotoCoreError, kind: type[errors.BatchOpsError], hint: str
) -> None:
    with pytest.raises(errors.BatchOpsError) as caught, errors.translated("listing jobs"):
        raise error
    assert caught.type is kind
    assert hint in str(caught.value)
    assert "listing jobs" in str(caught.value)
    assert caught.value.__cause__ is error


def test_errors_of_ours_and_of_python_pass_through() -> None:
    for error in (errors.InputError("ours"), KeyError("python's")):
        with pytest.raises(type(error)) as caught, errors.translated("reading"):
            raise error
        assert caught.value is error


def test_every_error_is_a_batchops_error_and_drawn_in_the_tree() -> None:
    kinds = [item for item in vars(errors).values() if isinstance(item, type)]
    assert errors.__doc__ is not None
    for kind in kinds:
        assert issubclass(kind, errors.BatchOpsError)
        assert kind.__name__ in errors.__doc__


def test_a_timeout_is_also_a_timeout_error() -> None:
    assert issubclass(errors.StackTimeoutError, TimeoutError)
    assert issubclass(errors.WaitTimeoutError, TimeoutError)


def test_a_start_error_shows_the_log() -> None:
    error = errors.EngineStartError("no start", log="last line")
    assert str(error) == "no start\nlast line"
    assert error.log == "last line"


def test_notebook_shows_what_an_error_says_and_no_traceback(
    capsys: pytest.CaptureFixture[str],
) -> None:
    shell = InteractiveShell()
    shell.user_ns["error"] = errors.InputError("no file \x1b[2J: give its path")
    done = shell.run_cell("raise error")
    assert isinstance(done.error_in_exec, errors.InputError)
    assert done.error_in_exec.__traceback__ is not None
    assert capsys.readouterr().out.strip() == r"InputError: no file \x1b[2J: give its path"


@pytest.mark.parametrize(
    "error",
    [StackNotFoundError("no stack 'w'", stack_name="w"), EngineNotRunningError("no engine")],
    ids=["stack", "engine"],
)
def test_a_notebook_says_which_cell_sets_up_what_is_missing(error: BatchOpsError) -> None:
    (shown,) = error._render_traceback_()
    assert shown.startswith(f"{type(error).__name__}: {error}\n")
    assert shown.endswith("    bo.sample_stack(stack)")
    assert "Traceback" not in shown


@pytest.mark.parametrize(
    ("error", "cause", "said"),
    [
        ("Stopped", "stopped by anna", "stopped by anna"),
        ("Stopped", "wrong file", "Stopped: wrong file"),
        ("Stop", "stopped by anna", "Stop: stopped by anna"),
        ("Stopped", "", "Stopped"),
        ("", "wrong file", "wrong file"),
        ("", "", "no reason was given"),
        (
            "HeaderError",
            '{"errorType": "HeaderError", "errorMessage": "no id"}',
            "HeaderError: no id",
        ),
    ],
)
def test_reason_says_nothing_twice_and_nothing_empty(error: str, cause: str, said: str) -> None:
    assert errors.explain_failure(error, cause) == said
