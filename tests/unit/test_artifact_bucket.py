"""The bucket that deployments come from: locked down before anything is stored in it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from botocore.config import Config
from botocore.stub import ANY, Stubber
from support import ACCOUNT_ID, REGION, ROOT, SESSION, SOURCE, GivenClients

from batchops.core.errors import PackagingError
from batchops.core.project import Project
from batchops.core.target import Target
from batchops.deployment import artifact_bucket
from batchops.deployment.artifact_bucket import ensure_bucket, publish, publish_template
from batchops.deployment.delivery import Order, check_files
from batchops.deployment.packaging import Artifact

if TYPE_CHECKING:
    from pathlib import Path

    from support import Account

    from batchops.local.engine import LocalEngine


BUCKET = f"batchops-artifacts-{ACCOUNT_ID}-{REGION}"
OURS = {"Bucket": BUCKET, "ExpectedBucketOwner": ACCOUNT_ID}


def target(s3: Any = None) -> Target:
    """Return a target of the mocked account, with a client of S3 if one is given."""
    return GivenClients({"s3": s3 or SESSION.client("s3"), "sts": SESSION.client("sts")})


@pytest.fixture
def bucket(account: Account) -> str:
    return ensure_bucket(target())


def test_bucket_is_private_encrypted_versioned_and_without_acls(
    bucket: str, account: Account
) -> None:
    s3 = account.s3
    block = s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"]
    assert set(block) == {
        "BlockPublicAcls",
        "IgnorePublicAcls",
        "BlockPublicPolicy",
        "RestrictPublicBuckets",
    }
    assert all(block.values())
    (owner,) = s3.get_bucket_ownership_controls(Bucket=bucket)["OwnershipControls"]["Rules"]
    assert owner == {"ObjectOwnership": "BucketOwnerEnforced"}
    encryption = s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]
    (rule,) = encryption["Rules"]
    assert rule["ApplyServerSideEncryptionByDefault"] == {"SSEAlgorithm": "AES256"}
    assert s3.get_bucket_versioning(Bucket=bucket)["Status"] == "Enabled"


def test_bucket_drops_old_versions(bucket: str, account: Account) -> None:
    (rule,) = account.s3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"]
    assert rule["NoncurrentVersionExpiration"] == {"NoncurrentDays": 30}


@pytest.mark.slow
def test_what_is_in_the_bucket_is_not_uploaded_again(engine: LocalEngine, tmp_path: Path) -> None:
    local = Target("local", engine=engine)
    (tmp_path / "a.zip").write_bytes(b"one")
    built = [Artifact(name, "a", tmp_path / "a.zip", "artifacts/a.zip") for name in "AB"]
    first, second = publish(local, built), publish(local, built)
    assert (first.uploaded, first.reused) == (1, 0)
    assert (second.uploaded, second.reused) == (0, 1)
    bucket = "batchops-artifacts-000000000000-us-east-1"
    place = {"Bucket": bucket, "Key": "artifacts/a.zip"}
    assert first.places == second.places == {"A": place, "B": place}
    url = publish_template(local, "{}")
    assert url == publish_template(local, "{}")
    assert url.startswith(f"{engine.start().endpoint_url}/{bucket}/templates/")


def test_template_is_read_from_the_standard_endpoint_whatever_the_configuration(
    bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # CloudFormation may refuse the address of a FIPS or dual-stack endpoint.
    s3: Any = SESSION.client("s3", config=Config(use_fips_endpoint=True))
    assert "fips" in s3.meta.endpoint_url
    monkeypatch.setattr(artifact_bucket, "ensure_bucket", lambda _: bucket)
    with Stubber(s3) as stub:
        stub.add_response("head_object", {}, {**OURS, "Key": ANY})
        url = publish_template(target(s3), "{}")
    assert url.startswith(f"https://{bucket}.s3.{REGION}.amazonaws.com/templates/")


def test_bucket_answers_over_tls_only(bucket: str, account: Account) -> None:
    policy = json.loads(account.s3.get_bucket_policy(Bucket=bucket)["Policy"])
    (statement,) = policy["Statement"]
    assert (statement["Effect"], statement["Principal"]) == ("Deny", "*")
    assert statement["Action"] == "s3:*"
    assert statement["Resource"] == [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"]
    assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}


SETTING = {
    "public_access_block": "PublicAccessBlockConfiguration",
    "bucket_ownership_controls": "OwnershipControls",
    "bucket_versioning": "VersioningConfiguration",
    "bucket_encryption": "ServerSideEncryptionConfiguration",
    "bucket_lifecycle_configuration": "LifecycleConfiguration",
    "bucket_policy": "Policy",
}


@pytest.mark.parametrize("busy", SETTING)
def test_bucket_that_is_being_changed_is_set_up_once_it_is_idle(
    account: Account, naps: list[float], busy: str
) -> None:
    # Two first deployments in one region set the same bucket up.
    client = SESSION.client("s3")
    with Stubber(client) as stubber:
        stubber.add_response("head_bucket", {}, OURS)
        stubber.add_client_error("get_bucket_policy", "NoSuchBucketPolicy", expected_params=OURS)
        for name in SETTING:
            if name == busy:
                stubber.add_client_error(f"put_{name}", "OperationAborted", http_status_code=409)
                break
            stubber.add_response(f"put_{name}", {})
        for name, value in SETTING.items():
            stubber.add_response(f"put_{name}", {}, {**OURS, value: ANY})
        assert ensure_bucket(target(client)) == BUCKET
        stubber.assert_no_pending_responses()
    assert len(naps) == 1


def test_every_call_names_the_account_that_must_own_the_bucket(account: Account) -> None:
    """What is deployed never comes from a bucket that somebody else made under that name."""
    client = SESSION.client("s3")
    rest = dict.fromkeys(("Key", "Body", "ChecksumAlgorithm"), ANY)
    with Stubber(client) as stubber:
        stubber.add_response("head_bucket", {}, OURS)
        stubber.add_client_error("get_bucket_policy", "NoSuchBucketPolicy", expected_params=OURS)
        for name, value in SETTING.items():
            stubber.add_response(f"put_{name}", {}, {**OURS, value: ANY})
        stubber.add_client_error(
            "head_object", "404", http_status_code=404, expected_params={**OURS, "Key": ANY}
        )
        stubber.add_response("put_object", {}, {**OURS, **rest})
        publish_template(target(client), "{}")
        stubber.assert_no_pending_responses()


@pytest.mark.parametrize("status", [403, 301])
def test_bucket_of_somebody_else_is_refused(account: Account, status: int) -> None:
    client = SESSION.client("s3")
    with Stubber(client) as stubber:
        stubber.add_client_error(
            "head_bucket", str(status), http_status_code=status, expected_params=OURS
        )
        with pytest.raises(PackagingError, match="belongs to another account"):
            ensure_bucket(target(client))


def test_credentials_of_a_profile_are_written_nowhere(
    account: Account, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    credentials, home = tmp_path / "credentials", tmp_path / "home"
    marks = ("zqxkeyid", "zqxsecret", "zqxtoken")
    names = ("aws_access_key_id", "aws_secret_access_key", "aws_session_token")
    lines = [f"{name} = {mark}" for name, mark in zip(names, marks, strict=True)]
    credentials.write_text("\n".join(["[work]", *lines]))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(credentials))
    monkeypatch.setenv("BATCHOPS_HOME", str(home))
    mine = Target("aws", region=REGION, profile="work")
    with monkeypatch.context() as patched:
        # The mock's own would be taken before those of the profile.
        for name in names:
            patched.delenv(name.upper(), raising=False)
        assert mine.client("s3")._request_signer._credentials.secret_key == marks[1]
    ensure_bucket(mine)
    reference = SOURCE / "reference" / "reference.csv"
    check_files(Project(ROOT), Order(reference_data=reference), kept={})
    written = [path for path in tmp_path.rglob("*") if path.is_file() and path != credentials]
    assert written
    for path in written:
        content = path.read_bytes()
        assert not [mark for mark in marks if mark.encode() in content]
    assert not [mark for mark in marks if mark in repr(mine)]
