"""`sam build && sam deploy` on the same template, with the project's own samconfig.toml."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from e2e.jobs import TIMEOUT_S

from batchops.core.loopback import NO_PROXY
from batchops.core.project import checkout_root
from batchops.local.engine import EngineInfo, LocalEngine
from batchops.samples.sample import make_sample
from batchops.stack import Stack

SAM = checkout_root() / ".tools" / "sam" / "bin" / "sam"
MAIL = "batchops@example.com"
PARAMETERS = {
    "SESSender": MAIL,
    "SESRecipient": MAIL,
    "SESIdentityName": MAIL,
    "MaxConcurrency": "2",
    "LocalEngine": "true",
}


@pytest.mark.skipif(not SAM.exists(), reason="SAM CLI is set up by `make test` in .tools/sam")
def test_sam_build_and_deploy_give_a_stack_that_runs(engine: LocalEngine, tmp_path: Path) -> None:
    root = checkout_root()
    for name in ("template.yaml", "samconfig.toml"):
        shutil.copy(root / name, tmp_path)
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(root / "source", tmp_path / "source", ignore=ignored)
    info = engine.start()
    pairs = [f"{name}={value}" for name, value in PARAMETERS.items()]

    _sam(["build"], tmp_path, info)
    deploy = ["deploy", "--stack-name", "by-sam", "--parameter-overrides", *pairs]
    assert "Successfully created" in _sam(deploy, tmp_path, info)
    assert "No changes to deploy" in _sam(deploy, tmp_path, info)

    stack = Stack("by-sam", engine=engine)
    stack.client("ses").verify_email_identity(EmailAddress=MAIL)
    # The shipped reference data serves samples of up to 1,000 rows.
    job = stack.submit(make_sample(100).csv)
    job.wait(timeout_s=TIMEOUT_S)
    assert job.balance().holds
    assert len(job.output()) == 97
    stack.destroy(dry_run=False)


def _sam(arguments: list[str], folder: Path, info: EngineInfo) -> str:
    environment = {
        **os.environ,
        **NO_PROXY,
        "AWS_ENDPOINT_URL": info.endpoint_url,
        "AWS_ACCESS_KEY_ID": info.access_key_id,
        "AWS_SECRET_ACCESS_KEY": info.secret_access_key,
        "AWS_DEFAULT_REGION": info.region,
        "SAM_CLI_TELEMETRY": "0",
        "SAM_CLI_POLL_DELAY": "0.1",  # seconds; the engine is next door
        # The functions run in this machine's Python, not on arm64.
        "LAYER_PLATFORM": "host",
    }
    done = subprocess.run(
        [str(SAM), *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr
