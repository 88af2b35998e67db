"""Call a function in this process, so that a debugger works in its code."""

from __future__ import annotations

import importlib.util
import io
import os
import sys
import tempfile
import threading
import uuid
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, cast

import boto3

from batchops.core.errors import InputError, translated
from batchops.core.loopback import NO_PROXY
from batchops.deployment import packaging
from batchops.deployment.deployed import download_layer
from batchops.deployment.resources import check_deployed, meant_function, unknown_function
from batchops.inspection.invoke import read_event

if TYPE_CHECKING:
    from batchops.core.project import Project
    from batchops.core.stack_ref import StackRef

_HANDLER = "lambda_handler"
_REMAINING_MS = 900_000
# Of the shell's AWS settings, all but this one could send a function's clients elsewhere.
_KEPT = "AWS_CA_BUNDLE"
# Environment, sys.path and boto3's default session belong to the whole process.
_one_at_a_time = threading.RLock()


@dataclass(frozen=True)
class LocalContext:
    """The part of the context that Lambda passes to a handler that makes sense here."""

    function_name: str
    memory_limit_in_mb: int = 1024
    function_version: str = "$LATEST"
    invoked_function_arn: str = "arn:aws:lambda:local:000000000000:function:here"
    log_group_name: str = ""
    log_stream_name: str = "here"
    aws_request_id: str = field(default_factory=lambda: str(uuid.uuid4()))

    def get_remaining_time_in_millis(self) -> int:
        """Return always 900,000: time at a breakpoint does not count."""
        return _REMAINING_MS


def invoke_here(
    project: Project,
    function: str,
    event: Mapping[str, Any] | str | Path,
    *,
    stack: StackRef | None = None,
    environment: Mapping[str, str] | None = None,
) -> Any:
    """Call a function's handler in this process, so that breakpoints in its code work.

    With a stack, it gets the environment of the deployed function, the stack's schema and reference
    data, and works on the stack's buckets and tables, for real. It runs with your credentials, so
    missing permissions of its role do not show. Environment, ``sys.path`` and boto3's default
    session are restored afterwards; during the call the whole process has those of the function,
    so calls from several threads wait for each other.

    Parameters
    ----------
    project
        The checkout with the function's code.
    function
        The name of its folder in ``source``.
    event
        The event, or the path of a JSON file that holds it.
    stack
        The stack to work on; by default none, with the schema in ``source/schema``.
    environment
        Variables that are added to those of the stack's function, or replace them.

    Returns
    -------
    Any
        The handler's result. Its exceptions pass through unchanged.

    Raises
    ------
    InputError
        There is no such function, or the event is not a JSON object.
    StackNotFoundError, AwsError
    """
    path = project.source / function / "app.py"
    if not path.is_file():
        known = sorted(p.parent.name for p in project.source.glob("*/app.py"))
        raise InputError(
            f"no function {function!r}{meant_function(function)}: source/ has {', '.join(known)}"
        )
    payload = read_event(event)
    name = function if stack is None else f"{stack.name}-{function}"
    with ExitStack() as undo:
        undo.enter_context(_one_at_a_time)
        if stack is None:
            layers = [project.source / "schema", project.source / "reference"]
            variables = {"AWS_LAMBDA_FUNCTION_NAME": name}
        else:
            folder = Path(undo.enter_context(tempfile.TemporaryDirectory(prefix="batchops-")))
            configuration = _configuration(stack, function)
            layers = list(_layers(stack, configuration, folder))
            variables = _variables(stack, configuration)
        variables |= dict(environment or {})
        packages = _packages(project)
        undo.enter_context(_process(variables, stack, layers=layers, packages=packages))
        module = undo.enter_context(_imported(path, f"{function.replace('-', '_')}_app"))
        return getattr(module, _HANDLER)(payload, LocalContext(name))


# ------------------------------------------------------------- the function's environment


def _configuration(stack: StackRef, function: str) -> Any:
    check_deployed(stack)
    client = stack.client("lambda")
    with translated(f"reading the configuration of {function!r}"):
        try:
            return client.get_function_configuration(FunctionName=f"{stack.name}-{function}")
        except client.exceptions.ResourceNotFoundException as error:
            raise unknown_function(stack, function) from error


def _variables(stack: StackRef, configuration: Any) -> dict[str, str]:
    """Return the environment of the deployed function, with this user's credentials."""
    target = stack.target
    variables: dict[str, str] = {
        **configuration.get("Environment", {}).get("Variables", {}),
        "AWS_LAMBDA_FUNCTION_NAME": configuration["FunctionName"],
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(configuration["MemorySize"]),
        "AWS_REGION": target.region,
        "AWS_DEFAULT_REGION": target.region,
    }
    info = target.endpoint
    if info is not None:
        return variables | {
            "AWS_ACCESS_KEY_ID": info.access_key_id,
            "AWS_SECRET_ACCESS_KEY": info.secret_access_key,
            "AWS_ENDPOINT_URL": info.endpoint_url,
            **NO_PROXY,
        }
    session = boto3.Session(profile_name=target.profile, region_name=target.region)
    # There are some: they have read the configuration.
    credentials = cast("Any", session.get_credentials()).get_frozen_credentials()
    token = {"AWS_SESSION_TOKEN": credentials.token} if credentials.token else {}
    # The stack's own clients use these, if they are set.
    endpoints = {n: value for n, value in os.environ.items() if n.startswith("AWS_ENDPOINT_URL")}
    return (
        variables
        | token
        | endpoints
        | {
            "AWS_ACCESS_KEY_ID": credentials.access_key,
            "AWS_SECRET_ACCESS_KEY": credentials.secret_key,
        }
    )


def _layers(stack: StackRef, configuration: Any, folder: Path) -> Iterator[Path]:
    """Yield the deployed layers, unpacked; not the common one, whose local code is debugged."""
    for number, layer in enumerate(configuration.get("Layers", [])):
        if f":layer:{stack.name}-common:" in layer["Arn"]:
            continue
        with zipfile.ZipFile(io.BytesIO(download_layer(stack, layer["Arn"]))) as archive:
            archive.extractall(folder / str(number))
        yield folder / str(number)


def _packages(project: Project) -> list[Path]:
    """Return the folders of packages that functions need and batchops does not."""
    if importlib.util.find_spec("aws_lambda_powertools") is not None:
        return []
    layer = packaging.build_layer(project.source / "common", project.build, platform="host")
    return [layer / "python"]


@contextmanager
def _process(
    variables: Mapping[str, str],
    stack: StackRef | None,
    *,
    layers: list[Path],
    packages: list[Path],
) -> Iterator[None]:
    """Give this process the function's environment inside the block."""
    environment, path = dict(os.environ), list(sys.path)
    # boto3 keeps it from the first client on, with the credentials of that time.
    session = boto3.DEFAULT_SESSION
    try:
        if stack is not None:
            for name in [name for name in environment if name.startswith("AWS_")]:
                if name != _KEPT:
                    del os.environ[name]
            # No profile and no settings of the user: the variables say everything.
            os.environ["AWS_CONFIG_FILE"] = os.environ["AWS_SHARED_CREDENTIALS_FILE"] = os.devnull
        os.environ.update(variables)
        sys.path[:] = [*map(str, layers), *path, *map(str, packages)]
        boto3.DEFAULT_SESSION = None
        yield
    finally:
        boto3.DEFAULT_SESSION = session
        sys.path[:] = path
        os.environ.clear()
        os.environ.update(environment)


@contextmanager
def _imported(path: Path, name: str) -> Iterator[ModuleType]:
    """Import a function's module again, so that edits take effect, and forget it afterwards."""
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise InputError(f"{path} cannot be imported")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
        yield module
    finally:
        sys.modules.pop(name, None)
