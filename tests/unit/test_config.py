"""batchops.toml: environments by name, and a clear word on whatever is wrong in one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from batchops.cli import main
from batchops.core.config import Environment, find_config, load_config, load_environment
from batchops.core.errors import InputError
from batchops.stack import Stack

GOOD = """
[environments.prod]
stack = "orders"
target = "aws"
region = "eu-west-1"
profile = "work"
schema = "orders.schema.json"
reference = "orders.reference.csv"

[environments.prod.parameters]
FileChunkSize = 2000
FileDelimiter = "semicolon"
ManageApiGatewayAccount = false

[environments.prod.tags]
team = "data"

[environments.here]
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "batchops.toml").write_text(GOOD, encoding="utf-8")
    below = tmp_path / "notebooks"
    below.mkdir()
    monkeypatch.chdir(below)
    monkeypatch.delenv("BATCHOPS_ENV", raising=False)
    return tmp_path


def test_environment_is_read_from_the_nearest_file_above(folder: Path) -> None:
    assert load_environment("prod") == Environment(
        name="prod",
        stack="orders",
        target="aws",
        region="eu-west-1",
        profile="work",
        schema=folder / "orders.schema.json",
        reference=folder / "orders.reference.csv",
        parameters={
            "FileChunkSize": 2000,
            "FileDelimiter": "semicolon",
            "ManageApiGatewayAccount": False,
        },
        tags={"team": "data"},
    )
    assert load_environment("here") == Environment("here")


WRONG = [
    ("[environment.a]", r"environment is not known \(is environments meant\?\)"),
    ("environments = 1", r"environments is no table: write \[environments\.NAME\]"),
    ("[environments]\na = 1", r"environments\.a is no table: write \[environments\.a\]"),
    ("[environments.a]\nregoin = 'x'", r"environments\.a\.regoin .* \(is region meant\?\)"),
    ("[environments.a]\nreference_data = 'x'", r"reference_data .* \(is reference meant\?\)"),
    ("[environments.a]\nzzz = 'x'", r"zzz is not known: known are stack, target, region"),
    ("[environments.a]\nstack = 1", r"environments\.a\.stack is 1: give a text"),
    ("[environments.a]\ntarget = 'AWS'", r"environments\.a\.target is 'AWS': give local or aws"),
    ("[environments.a]\nparameters = 1", r"environments\.a\.parameters is 1: give a table"),
    ("[environments.a.parameters]\nX = []", r"parameters\.X is \[\]: give a text, a number"),
    ("[environments.a.tags]\nteam = 1", r"environments\.a\.tags\.team is 1: give a text"),
    ("[environments.a", r"cannot be read as TOML"),
]


@pytest.mark.parametrize(("text", "message"), WRONG, ids=[text[:34] for text, _ in WRONG])
def test_mistake_in_the_file_is_told_with_its_place(
    tmp_path: Path, text: str, message: str
) -> None:
    path = tmp_path / "batchops.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=message) as raised:
        load_config(path)
    assert str(path) in str(raised.value)


def test_environment_that_is_not_there_is_told_with_those_that_are(folder: Path) -> None:
    with pytest.raises(InputError, match=r"'prd' \(is prod meant\?\): .* prod, here"):
        load_environment("prd")
    (folder / "batchops.toml").unlink()
    assert find_config(folder) is None
    with pytest.raises(InputError, match=r"no batchops\.toml here or in a folder above"):
        load_environment("prod")


def test_stack_of_an_environment_is_the_one_that_the_file_says(folder: Path) -> None:
    stack = Stack.from_config("prod", folder / "batchops.toml")
    assert stack.name == "orders"
    assert repr(stack.target) == "Target('aws', region='eu-west-1', profile='work')"
    assert Stack.from_config("here").target.local


def run(*arguments: str, code: int, **variables: str) -> Any:
    done = CliRunner().invoke(main, arguments, env=variables)
    assert done.exit_code == code, done.output
    return done


@pytest.mark.usefixtures("folder")
def test_command_line_takes_an_environment_or_options_not_both() -> None:
    told = run("--env", "prod", "--stack", "other", "status", code=2).stderr
    assert "--env says what --stack says: give one of them" in told
    told = run("--env", "prd", "status", code=1).stderr
    assert "is prod meant?" in told


@pytest.mark.usefixtures("folder")
def test_options_that_are_typed_go_before_variables_of_the_shell(tmp_path: Path) -> None:
    def name(*arguments: str, **variables: str) -> str:
        home = {"BATCHOPS_HOME": str(tmp_path / "home")}
        done = run(*arguments, "doctor", "--json", code=3, **home, **variables)
        return str(json.loads(done.stdout)["stack"])

    assert name("--env", "here", BATCHOPS_STACK="other") == "batchops"
    assert name("--stack", "mine", BATCHOPS_ENV="here") == "mine"


def test_doctor_checks_the_file_and_the_files_that_it_names(folder: Path) -> None:
    def configuration() -> tuple[Any, str]:
        found = [c for c in Stack("new").doctor().checks if c.name == "configuration"]
        return found[0].ok, found[0].found

    assert configuration()[0] is False
    assert "environment prod names" in configuration()[1]
    for name in ("orders.schema.json", "orders.reference.csv"):
        (folder / name).touch()
    assert configuration() == (True, f"{folder / 'batchops.toml'}: prod, here")
    (folder / "batchops.toml").write_text("[environments.a]\nregoin = 'x'")
    ok, found = configuration()
    assert ok is False
    assert "regoin is not known" in found


def test_service_role_and_termination_protection_are_read(tmp_path: Path) -> None:
    path = tmp_path / "batchops.toml"
    path.write_text(
        '[environments.prod]\nrole_arn = "arn:aws:iam::1:role/r"\ntermination_protection = true\n'
    )
    found = load_config(path)["prod"]
    assert (found.role_arn, found.termination_protection) == ("arn:aws:iam::1:role/r", True)


def test_flag_that_is_a_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "batchops.toml"
    path.write_text('[environments.prod]\ntermination_protection = "yes"\n')
    with pytest.raises(InputError, match="termination_protection is 'yes': give true or false"):
        load_config(path)
