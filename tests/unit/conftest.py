"""Fixtures of the unit tests: a mocked account, and the functions as the template sets them up."""

from __future__ import annotations

import importlib.util
import io
import json
import sys
from typing import TYPE_CHECKING, Any

import boto3
import pytest
import support
from batchcore import runtime

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import ModuleType


@pytest.fixture
def moto_config() -> dict[str, Any]:
    """Give the configuration of the mocked account; a module may have its own."""
    return {}


@pytest.fixture
def account(
    monkeypatch: pytest.MonkeyPatch, moto_config: dict[str, Any]
) -> Iterator[support.Account]:
    """Give a mocked AWS account with the stack's bucket, tables and main workflow."""
    for name in ("AWS_ENDPOINT_URL", "AWS_PROFILE", "AWS_CONFIG_FILE"):
        monkeypatch.delenv(name, raising=False)
    with support.mocked_account(moto_config) as account:
        # Not before: the mock drops the default session when it starts.
        monkeypatch.setattr(boto3, "DEFAULT_SESSION", support.SESSION)
        yield account


@pytest.fixture
def load_app(
    account: support.Account, monkeypatch: pytest.MonkeyPatch
) -> Iterator[support.LoadApp]:
    """Give a function that imports ``source/<folder>/app.py`` as Lambda would.

    It has the environment and the layers that the template gives it, and the mocked account is
    there before the import, because that is when the clients are made.
    """
    loaded: list[Any] = []

    def load(folder: str) -> ModuleType:
        lambda_sets = {
            "AWS_REGION": support.REGION,
            "AWS_DEFAULT_REGION": support.REGION,
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
            "AWS_SESSION_TOKEN": "testing",
            "AWS_LAMBDA_FUNCTION_NAME": f"{support.STACK}-{folder}",
        }
        for name, value in (lambda_sets | support.environment(folder)).items():
            monkeypatch.setenv(name, value)
        # A later layer hides what an earlier one has. That imports are looked for anew would take
        # long, and what the layers have of code is imported already.
        layers = [str(layer) for layer in reversed(support.layers(folder))]
        monkeypatch.setattr(sys, "path", [*layers, *sys.path])
        name = f"app_{folder.replace('-', '_')}"
        path = support.SOURCE / folder / "app.py"
        spec = importlib.util.spec_from_file_location(name, path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        monkeypatch.setitem(sys.modules, name, module)
        spec.loader.exec_module(module)
        loaded.append(module)
        return module

    yield load
    for module in loaded:
        if hasattr(module, "http"):
            module.http.clear()


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> Callable[[], list[dict[str, Any]]]:
    """Give a function that returns the log lines written so far, as mappings."""
    stream = io.StringIO()
    monkeypatch.setattr(runtime.logger.registered_handler, "stream", stream)

    def read() -> list[dict[str, Any]]:
        return [json.loads(line) for line in stream.getvalue().splitlines()]

    return read


@pytest.fixture
def naps(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Give the list of the pauses that the code wanted to make; none is made."""
    made: list[float] = []
    monkeypatch.setattr("time.sleep", made.append)
    return made
