"""Record the calls of AWS that verbs make, as the actions that IAM knows them by."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from botocore.config import Config

from batchops.core.target import Engine, Target

# The calls that IAM knows by another name, and what they need (Service Authorization Reference).
_ACTIONS = {
    "s3:HeadBucket": ("s3:ListBucket",),
    "s3:ListObjectsV2": ("s3:ListBucket",),
    "s3:ListObjectVersions": ("s3:ListBucketVersions",),
    "s3:HeadObject": ("s3:GetObject",),
    "s3:DeleteObjects": ("s3:DeleteObject",),
    "s3:CreateMultipartUpload": ("s3:PutObject",),
    "s3:UploadPart": ("s3:PutObject",),
    "s3:CompleteMultipartUpload": ("s3:PutObject",),
    "s3:ListMultipartUploads": ("s3:ListBucketMultipartUploads",),
    "s3:PutBucketEncryption": ("s3:PutEncryptionConfiguration",),
    "s3:PutBucketLifecycleConfiguration": ("s3:PutLifecycleConfiguration",),
    "s3:PutPublicAccessBlock": ("s3:PutBucketPublicAccessBlock",),
    "s3:GetBucketNotificationConfiguration": ("s3:GetBucketNotification",),
    "s3:PutBucketNotificationConfiguration": ("s3:PutBucketNotification",),
    "lambda:Invoke": ("lambda:InvokeFunction",),
    "lambda:GetLayerVersionByArn": ("lambda:GetLayerVersion",),
    # Anybody may ask who they are.
    "sts:GetCallerIdentity": (),
}
_PREFIXES = {
    "stepfunctions": "states",
    "sfn": "states",
    "cloudwatch-logs": "logs",
    "sesv2": "ses",
    "service-quotas": "servicequotas",
}
_VERSIONED = {"s3:GetObject": "s3:GetObjectVersion", "s3:DeleteObject": "s3:DeleteObjectVersion"}


class RecordedTarget(Target):
    """The local engine as some user of the account has it, with a record of all calls.

    Attributes
    ----------
    actions : set of str
        The actions of the calls since it was last emptied.
    """

    def __init__(self, engine: Engine) -> None:
        super().__init__("local", engine=engine)
        self.actions: set[str] = set()
        self._heard: set[str] = set()

    def client(self, service: str) -> Any:
        client = super().client(service)
        if service not in self._heard:
            self._heard.add(service)
            self._listen(client)
        return client

    def new_client(self, service: str, config: Config) -> Any:
        client = super().new_client(service, config)
        self._listen(client)
        return client

    def _listen(self, client: Any) -> None:
        client.meta.events.register("provide-client-params.*.*", self._note)

    def _note(self, params: Mapping[str, Any], model: Any, **_: Any) -> None:
        service = model.service_model.service_name
        called = f"{_PREFIXES.get(service, service)}:{model.name}"
        for action in _ACTIONS.get(called, (called,)):
            self.actions.add(_VERSIONED.get(action, action) if "VersionId" in params else action)

    @contextmanager
    def recording(self) -> Iterator[set[str]]:
        """Empty the record, and give it."""
        self.actions.clear()
        yield self.actions
