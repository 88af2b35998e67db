"""The local engine starts once, is found again, keeps its state and leaves nothing behind."""

from __future__ import annotations

import io
import json
import socket
import stat
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import boto3
import psutil
import pytest
from botocore.exceptions import ClientError

from batchops.core.errors import (
    CredentialsError,
    EngineInstallError,
    EngineNotRunningError,
    EngineStartError,
    InputError,
)
from batchops.core.project import checkout_root
from batchops.core.target import Target
from batchops.local import engine_env, engine_process
from batchops.local.engine import LocalEngine
from batchops.local.keeper import Kept
from batchops.local.targets import make_target

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.slow

ENV_HOME = checkout_root() / ".batchops"
SLEEPER = """
import time
def handler(event, context):
    time.sleep(event["seconds"])
"""


@pytest.fixture
def own_engine(tmp_path: Path) -> Iterator[LocalEngine]:
    """Give an engine of this test alone, not started."""
    engine = LocalEngine(tmp_path / "home", ENV_HOME)
    yield engine
    engine.stop()


def processes_of(engine: LocalEngine) -> list[psutil.Process]:
    """Return the running functions of the engine."""
    scratch = str(engine.home / "tmp")
    found = psutil.process_iter(["cmdline"])
    return [item for item in found if any(scratch in part for part in item.info["cmdline"] or [])]


def kill(pid: int) -> None:
    process = psutil.Process(pid)
    process.kill()
    process.wait(timeout=10)


def put_sleeper(target: Target) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("app.py", SLEEPER)
    assume = {"Effect": "Allow", "Action": "sts:AssumeRole"}
    trust = {**assume, "Principal": {"Service": "lambda.amazonaws.com"}}
    role = target.client("iam").create_role(
        RoleName="sleeper",
        AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]}),
    )
    target.client("lambda").create_function(
        FunctionName="sleeper",
        Runtime="python3.13",
        Role=role["Role"]["Arn"],
        Handler="app.handler",
        Timeout=60,
        Code={"ZipFile": packed.getvalue()},
    )


def test_making_an_engine_writes_nothing(tmp_path: Path) -> None:
    engine = LocalEngine(tmp_path / "home", tmp_path / "env")
    assert engine.find() is None
    assert engine.logs() == ""
    assert list(tmp_path.iterdir()) == []


def test_a_second_object_finds_the_engine_that_the_first_started(own_engine: LocalEngine) -> None:
    started = own_engine.start()
    other = LocalEngine(own_engine.home, ENV_HOME)
    assert other.find() == started
    assert other.start() == started
    assert other.stop() is True
    assert own_engine.find() is None
    assert own_engine.stop() is False


def test_two_starts_at_once_give_one_engine(own_engine: LocalEngine) -> None:
    engines = [LocalEngine(own_engine.home, ENV_HOME) for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda engine: engine.start(), engines))
    assert len({info.pid for info in found}) == 1
    banners = own_engine.logs(lines=10_000).count("Ready —")
    assert banners == 1


def test_state_survives_a_stop_and_a_start(own_engine: LocalEngine) -> None:
    target = Target("local", engine=own_engine).connect(start=True)
    target.client("s3").create_bucket(Bucket="kept")
    target.client("s3").put_object(Bucket="kept", Key="k", Body=b"v")
    before = own_engine.find()
    assert own_engine.stop()
    target.connect(start=True)
    assert target.client("s3").get_object(Bucket="kept", Key="k")["Body"].read() == b"v"
    after = own_engine.find()
    assert before is not None
    assert after is not None
    assert (after.port, after.secret_access_key) == (before.port, before.secret_access_key)


def test_reset_gives_an_empty_account(own_engine: LocalEngine) -> None:
    target = Target("local", engine=own_engine).connect(start=True)
    target.client("s3").create_bucket(Bucket="gone")
    own_engine.reset()
    assert own_engine.find() is None
    assert target.connect(start=True).client("s3").list_buckets()["Buckets"] == []


def test_a_killed_engine_is_noticed_and_started_again(own_engine: LocalEngine) -> None:
    first = own_engine.start()
    psutil.Process(first.pid).kill()
    deadline = time.monotonic() + 10
    while own_engine.find() is not None and time.monotonic() < deadline:
        time.sleep(0.05)
    assert own_engine.find() is None
    assert own_engine.start().pid != first.pid  # and nothing is said of a loss: there is none


def test_a_killed_engine_keeps_what_it_saved_and_says_what_is_lost(own_engine: LocalEngine) -> None:
    target = Target("local", engine=own_engine).connect(start=True)
    state, queues = own_engine.home / "state", target.client("sqs")
    queues.create_queue(QueueName="kept")
    deadline = time.monotonic() + 20
    while (kept := Kept.read(state)) is None or not kept.whole:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    queues.create_queue(QueueName="lost")
    info = own_engine.find()
    assert info is not None
    kill(info.pid)
    assert "ended without being stopped" in own_engine.kept
    with pytest.warns(UserWarning, match=r"not stopped in order .* state of 20.*is lost"):
        target.connect(start=True)
    assert [url.rpartition("/")[2] for url in target.client("sqs").list_queues()["QueueUrls"]] == [
        "kept"
    ]
    assert own_engine.stop()
    assert own_engine.kept == "its state is kept"


def test_an_engine_that_is_still_ending_is_waited_for_and_followed_by_another(
    own_engine: LocalEngine,
) -> None:
    # Killed, its port closed, its process not quite gone: a recorded process that answers nobody
    # and ends while it is waited for.
    own_engine.home.mkdir(parents=True, mode=0o700)
    ending = engine_process.launch(
        ["/bin/sleep", "1"],
        port=1,
        env={},
        log_file=own_engine.log_file,
        record_file=own_engine.home / "engine.json",
    )
    assert own_engine.find() is None
    started = own_engine.start()
    assert own_engine.find() == started
    assert started.pid != ending.pid


def test_an_engine_is_found_again_when_the_clock_was_set(
    own_engine: LocalEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    running = own_engine.start()
    created, booted = psutil.Process.create_time, psutil.boot_time
    monkeypatch.setattr(psutil.Process, "create_time", lambda self: created(self) + 3_600)
    monkeypatch.setattr(psutil, "boot_time", lambda: booted() + 3_600)
    assert own_engine.find() == running


def test_a_record_of_another_process_is_not_believed(own_engine: LocalEngine) -> None:
    own_engine.home.mkdir()
    # This test's own process id, with a start time that is not its own.
    record = {"pid": psutil.Process().pid, "port": 1, "started_s": 1.0}
    (own_engine.home / "engine.json").write_text(json.dumps(record), encoding="utf-8")
    assert own_engine.find() is None
    assert own_engine.stop() is False
    (own_engine.home / "engine.json").write_text("{half", encoding="utf-8")
    assert own_engine.find() is None


def test_a_taken_port_is_avoided_and_nothing_names_it_any_more(own_engine: LocalEngine) -> None:
    target = Target("local", engine=own_engine).connect(start=True)
    first = own_engine.start()
    target.client("sqs").create_queue(QueueName="moved")
    own_engine.stop()
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", first.port))
        other.listen()
        second = own_engine.start()
        assert second.port != first.port
        # Clients that were made before find the engine, and the addresses that it has kept are new.
        (url,) = target.client("sqs").list_queues()["QueueUrls"]
        assert url.startswith(f"{second.endpoint_url}/")


def test_nothing_listens_beyond_this_computer(engine: LocalEngine) -> None:
    info = engine.start()
    connections = psutil.Process(info.pid).net_connections(kind="inet")
    listening = [item.laddr for item in connections if item.status == psutil.CONN_LISTEN]
    assert [(place.ip, place.port) for place in listening] == [("127.0.0.1", info.port)]
    assert not [item for item in connections if item.type == socket.SOCK_DGRAM]


def test_everything_is_written_into_the_home(own_engine: LocalEngine) -> None:
    own_engine.start()
    assert stat.S_IMODE((own_engine.home / "secret").stat().st_mode) == 0o600
    assert stat.S_IMODE(own_engine.home.stat().st_mode) == 0o700


def test_the_secret_is_not_shown(engine: LocalEngine) -> None:
    info = engine.start()
    assert info.secret_access_key
    assert info.secret_access_key not in repr(info)


def test_policies_are_enforced(engine: LocalEngine) -> None:
    target = Target("local", engine=engine)
    iam = target.client("iam")
    iam.create_user(UserName="nobody")
    key = iam.create_access_key(UserName="nobody")["AccessKey"]
    info = engine.start()
    stranger: Any = boto3.client(
        "dynamodb",
        endpoint_url=info.endpoint_url,
        region_name=info.region,
        aws_access_key_id=key["AccessKeyId"],
        aws_secret_access_key=key["SecretAccessKey"],
    )
    with pytest.raises(ClientError, match="not authorized"):
        stranger.list_tables()


def test_stopping_ends_the_functions_that_run(own_engine: LocalEngine) -> None:
    target = Target("local", engine=own_engine).connect(start=True)
    put_sleeper(target)
    call = {"FunctionName": "sleeper", "Payload": b'{"seconds": 50}', "InvocationType": "Event"}
    target.client("lambda").invoke(**call)
    deadline = time.monotonic() + 20
    while not processes_of(own_engine) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert processes_of(own_engine)
    assert own_engine.stop(timeout_s=12)
    assert processes_of(own_engine) == []
    assert not (own_engine.home / "tmp").exists()
    # And in order, not killed: the function is still there.
    functions = target.connect(start=True).client("lambda").list_functions()["Functions"]
    assert [item["FunctionName"] for item in functions] == ["sleeper"]


def test_an_engine_that_cannot_start_shows_its_log(own_engine: LocalEngine) -> None:
    # A file where the state folder belongs: the engine ends at once and says why.
    (own_engine.home / "tmp").mkdir(parents=True)
    broken = own_engine.home.parent / "env"
    python = engine_env.env_python(broken)
    python.parent.mkdir(parents=True)
    python.write_text("#!/bin/sh\necho no luck today\nexit 3\n", encoding="utf-8")
    python.chmod(0o755)
    (engine_env.env_folder(broken) / "complete").touch()
    with pytest.raises(EngineStartError, match="no luck today") as caught:
        LocalEngine(own_engine.home, broken).start()
    assert "no luck today" in caught.value.log


def test_an_engine_that_says_nothing_is_given_up(own_engine: LocalEngine) -> None:
    broken = own_engine.home.parent / "env"
    python = engine_env.env_python(broken)
    python.parent.mkdir(parents=True)
    python.write_text("#!/bin/sh\nexec sleep 30\n", encoding="utf-8")
    python.chmod(0o755)
    (engine_env.env_folder(broken) / "complete").touch()
    with pytest.raises(EngineStartError):
        LocalEngine(own_engine.home, broken).start(timeout_s=0.5)
    assert own_engine.stop() is False


def test_the_callers_settings_do_not_reach_functions(
    own_engine: LocalEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_PROFILE", "AWS_ENDPOINT_URL", "AWS_SESSION_TOKEN", "PYTHONPATH"):
        monkeypatch.setenv(name, "misleading")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    info = Target("local", engine=own_engine).connect(start=True).endpoint
    assert info is not None
    seen = psutil.Process(info.pid).environ()
    assert "misleading" not in seen.values()
    assert not {"HTTP_PROXY", "VIRTUAL_ENV", "PYTHONDONTWRITEBYTECODE"} & set(seen)


def test_a_client_ignores_the_callers_settings(
    engine: LocalEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_PROFILE", "there-is-none")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:1")
    monkeypatch.setenv("AWS_USE_FIPS_ENDPOINT", "true")
    target = Target("local", engine=engine)
    assert target.client("s3").list_buckets()["Owner"]
    assert (target.account_id, target.region) == ("000000000000", "us-east-1")


def test_without_an_engine_the_error_says_how_to_get_one(tmp_path: Path) -> None:
    target = Target("local", engine=LocalEngine(tmp_path / "home", ENV_HOME))
    with pytest.raises(EngineNotRunningError, match="batchops engine start"):
        target.client("s3")


def test_clients_are_made_once(engine: LocalEngine) -> None:
    target = Target("local", engine=engine)
    with ThreadPoolExecutor(8) as pool:
        clients = list(pool.map(target.client, ["s3"] * 8))
    assert len({id(client) for client in clients}) == 1


def test_options_of_the_other_target_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="profile"):
        make_target("local", profile="x")
    with pytest.raises(InputError, match="engine"):
        make_target("aws", engine=LocalEngine(tmp_path))
    with pytest.raises(InputError, match="no target"):
        make_target("moon")  # type: ignore[arg-type]


def test_local_target_uses_the_projects_engine_unless_another_is_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BATCHOPS_HOME", str(tmp_path))
    own, other = make_target().engine, LocalEngine(tmp_path / "other")
    assert isinstance(own, LocalEngine)
    assert own.home == tmp_path / "engine"
    assert make_target(engine=other).engine is other


def test_aws_without_credentials_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    with pytest.raises(CredentialsError, match="target='local'"):
        Target("aws", region="eu-west-1").connect()
    with pytest.raises(CredentialsError, match="profile"):
        Target("aws", region="eu-west-1", profile="missing").connect()


def test_a_half_made_environment_is_not_taken_for_a_whole_one(tmp_path: Path) -> None:
    python = engine_env.env_python(tmp_path)
    python.parent.mkdir(parents=True)
    python.touch()
    assert not engine_env.is_installed(tmp_path)
    (engine_env.env_folder(tmp_path) / "complete").touch()
    assert engine_env.is_installed(tmp_path)


def test_an_installation_that_fails_says_so_and_stays_unfinished(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # An index without any package: pip itself runs, and finds nothing.
    (tmp_path / "index").mkdir()
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    with pytest.raises(EngineInstallError, match="No matching distribution"):
        LocalEngine(tmp_path / "home", tmp_path / "env").install()
    assert not engine_env.is_installed(tmp_path / "env")


def test_the_engine_has_only_what_functions_may_count_on() -> None:
    lines = engine_env.REQUIREMENTS.with_suffix(".in").read_text(encoding="utf-8").splitlines()
    wanted = [line for line in lines if line and not line.startswith("#")]
    assert [pin.split("==")[0] for pin in wanted] == ["ministack", "aws-sam-translator", "boto3"]
    assert set(wanted) <= set(engine_env.pins())
