"""What other clients are told of the local engine is what a shell and a configuration file take."""

from __future__ import annotations

import configparser
import subprocess

import pytest

from batchops.core.errors import InputError
from batchops.local.engine import EngineInfo
from batchops.local.other_clients import as_exports, as_profile, environment

INFO = EngineInfo("http://127.0.0.1:4566", 1, 4566, "KEY", "it's $ecret", {})


def test_a_shell_gets_these_variables_and_keeps_its_hosts_without_a_proxy() -> None:
    before = {"AWS_PROFILE": "p", "AWS_SESSION_TOKEN": "t", "NO_PROXY": "example.org"}
    done = subprocess.run(
        ["/bin/sh", "-c", f"{as_exports(INFO)}\nexec env"],
        env={"PATH": "/usr/bin:/bin", **before},
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    found = dict(line.split("=", 1) for line in done.stdout.splitlines())
    expected = {**environment(INFO), "NO_PROXY": "127.0.0.1,example.org"}
    assert {name: found.get(name) for name in expected} == expected
    assert not {"AWS_PROFILE", "AWS_SESSION_TOKEN"} & found.keys()


@pytest.mark.parametrize(
    ("name", "section"),
    [("mine", "profile mine"), ("two words", "profile two words"), ("default", "default")],
)
def test_a_profile_is_one_section_of_the_configuration(name: str, section: str) -> None:
    parser = configparser.RawConfigParser()
    parser.read_string(as_profile(INFO, name))
    assert parser.sections() == [section]
    assert parser[section]["endpoint_url"] == INFO.endpoint_url
    assert parser[section]["aws_secret_access_key"] == INFO.secret_access_key


@pytest.mark.parametrize("name", ["", " ", " a", "a]", "[a", "a\nb", "a\x1b"])
def test_a_name_that_a_configuration_cannot_have_is_refused(name: str) -> None:
    with pytest.raises(InputError, match="cannot be a profile's name"):
        as_profile(INFO, name)
