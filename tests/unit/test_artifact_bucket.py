"""The bucket that deployments come from: locked down before anything is stored in it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from botocore.stub import ANY, Stubber
from support import ACCOUNT_ID, REGION, ROOT, SESSION, SOURCE

from batchops.core.errors import PackagingError
from batchops.core.project import Project
from batchops.core.target import Target
from batchops.deployment import artifacts, delivery

if TYPE_CHECKING:
    from pathlib import Path

    from support import Account


class MockedTarget:
    """A target on AWS with one client, of the mocked account unless another is given."""

    account_id = ACCOUNT_ID
    region = REGION

    def __init__(self, client: Any = None) -> None:
        self._client = client or SESSION.client("s3")

    def client(self, service: str) -> Any:
        assert service == "s3"
        return self._client


@pytest.fixture
def bucket(account: Account) -> str:
    target: Any = MockedTarget()
    return artifacts.ensure_bucket(target)


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


def test_bucket_answers_over_tls_only(bucket: str, account: Account) -> None:
    policy = json.loads(account.s3.get_bucket_policy(Bucket=bucket)["Policy"])
    (statement,) = policy["Statement"]
    assert (statement["Effect"], statement["Principal"]) == ("Deny", "*")
    assert statement["Action"] == "s3:*"
    assert statement["Resource"] == [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"]
    assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}


def test_every_call_names_the_account_that_must_own_the_bucket() -> None:
    """What is deployed never comes from a bucket that somebody else made under that name."""
    client = SESSION.client("s3")
    target: Any = MockedTarget(client)
    bucket = artifacts.bucket_name(target)
    ours = {"Bucket": bucket, "ExpectedBucketOwner": ACCOUNT_ID}
    setting = {
        "public_access_block": "PublicAccessBlockConfiguration",
        "bucket_ownership_controls": "OwnershipControls",
        "bucket_versioning": "VersioningConfiguration",
        "bucket_encryption": "ServerSideEncryptionConfiguration",
        "bucket_lifecycle_configuration": "LifecycleConfiguration",
        "bucket_policy": "Policy",
    }
    rest = dict.fromkeys(("Key", "Body", "ChecksumAlgorithm"), ANY)
    with Stubber(client) as stubber:
        stubber.add_response("head_bucket", {}, ours)
        stubber.add_client_error("get_bucket_policy", "NoSuchBucketPolicy", expected_params=ours)
        for name, value in setting.items():
            stubber.add_response(f"put_{name}", {}, {**ours, value: ANY})
        stubber.add_client_error(
            "head_object", "404", http_status_code=404, expected_params={**ours, "Key": ANY}
        )
        stubber.add_response("put_object", {}, {**ours, **rest})
        artifacts.publish_template(target, "{}")
        stubber.assert_no_pending_responses()


def test_bucket_of_somebody_else_is_refused() -> None:
    client = SESSION.client("s3")
    target: Any = MockedTarget(client)
    with Stubber(client) as stubber:
        stubber.add_client_error("head_bucket", "403", http_status_code=403)
        with pytest.raises(PackagingError, match="belongs to another account"):
            artifacts.ensure_bucket(target)


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
    target = Target("aws", region=REGION, profile="work")
    with monkeypatch.context() as patched:
        # The mock's own would be taken before those of the profile.
        for name in names:
            patched.delenv(name.upper(), raising=False)
        assert target.client("s3")._request_signer._credentials.secret_key == marks[1]
    artifacts.ensure_bucket(target)
    reference = SOURCE / "reference" / "reference.csv"
    delivery.check_files(Project(ROOT), None, reference, kept={})
    written = [path for path in tmp_path.rglob("*") if path.is_file() and path != credentials]
    assert written
    for path in written:
        content = path.read_bytes()
        assert not [mark for mark in marks if mark.encode() in content]
    assert not [mark for mark in marks if mark in repr(target)]
