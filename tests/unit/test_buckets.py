"""Buckets are emptied of every version and deleted, as CloudFormation does not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from botocore.stub import Stubber
from support import SESSION

from batchops.core.errors import AwsError
from batchops.deployment.buckets import count_versions, delete_bucket

if TYPE_CHECKING:
    from support import Account


def test_emptying_takes_every_version_marker_and_upload(account: Account) -> None:
    s3 = account.s3
    s3.create_bucket(Bucket="full")
    s3.put_bucket_versioning(Bucket="full", VersioningConfiguration={"Status": "Enabled"})
    for number in range(3):
        s3.put_object(Bucket="full", Key="again", Body=b"%d" % number)
    s3.delete_object(Bucket="full", Key="again")
    s3.put_object(Bucket="full", Key="a name+with/signs \u00fc", Body=b"x")
    s3.create_multipart_upload(Bucket="full", Key="unfinished")
    assert count_versions(s3, "full") == 5
    assert delete_bucket(s3, "full") == 5
    assert "full" not in [found["Name"] for found in s3.list_buckets()["Buckets"]]


def test_bucket_that_is_gone_holds_nothing_and_is_deleted(account: Account) -> None:
    assert count_versions(account.s3, "never-there") is None
    assert delete_bucket(account.s3, "never-there") == 0


def test_bucket_that_fills_up_meanwhile_is_emptied_again() -> None:
    s3 = _some_s3()
    version = {"Key": "late", "VersionId": "1"}
    with Stubber(s3) as stub:
        for versions in ([], [version]):
            stub.add_response("list_object_versions", {"Versions": versions, "IsTruncated": False})
            if versions:
                stub.add_response("delete_objects", {})
            stub.add_response("list_multipart_uploads", {"IsTruncated": False})
            if not versions:
                stub.add_client_error("delete_bucket", "BucketNotEmpty")
        stub.add_response("delete_bucket", {})
        assert delete_bucket(s3, "b") == 1
        stub.assert_no_pending_responses()


def _some_s3() -> Any:
    return SESSION.client("s3")


def test_more_versions_than_a_listing_holds_are_deleted_page_by_page() -> None:
    pages = [
        [{"Key": f"k{number}", "VersionId": "1"} for number in numbers]
        for numbers in (range(1_000), range(1_000, 2_000), range(2_000, 2_001))
    ]
    s3 = _some_s3()
    with Stubber(s3) as stub:
        asked: dict[str, Any] = {"Bucket": "b", "Prefix": ""}
        for number, page in enumerate(pages):
            listed = {"Versions": page, "IsTruncated": number < 2}
            following = {"NextKeyMarker": page[-1]["Key"], "NextVersionIdMarker": "1"}
            stub.add_response("list_object_versions", listed | following, dict(asked))
            doomed = {"Objects": page, "Quiet": True}
            stub.add_response("delete_objects", {}, {"Bucket": "b", "Delete": doomed})
            asked |= {"KeyMarker": page[-1]["Key"], "VersionIdMarker": "1"}
        stub.add_response("list_multipart_uploads", {"IsTruncated": False})
        stub.add_response("delete_bucket", {}, {"Bucket": "b"})
        assert delete_bucket(s3, "b") == 2_001
        stub.assert_no_pending_responses()


def test_a_version_that_cannot_be_deleted_is_an_error() -> None:
    s3 = _some_s3()
    with Stubber(s3) as stub:
        versions = [{"Key": "k", "VersionId": "1"}]
        stub.add_response("list_object_versions", {"Versions": versions, "IsTruncated": False})
        refused = {"Key": "k", "Code": "AccessDenied", "Message": "no"}
        stub.add_response("delete_objects", {"Errors": [refused]})
        with pytest.raises(AwsError, match="the first k: no"):
            delete_bucket(s3, "b")
