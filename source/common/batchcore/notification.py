"""The bucket's notification: which uploads S3 tells the first function of.

The custom resource sets it when a stack is created or updated. The client looks at it, and sets it
again where something else has replaced it: a bucket has one configuration, and whoever puts another
puts it in the place of all that was there.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from batchcore import keys

_ID = "batchops-input"
_LAMBDA = "LambdaFunctionConfigurations"


def upload_rule(function_arn: str) -> dict[str, Any]:
    """Return the rule by which S3 calls a function for every upload under ``input/``."""
    return {
        "Id": _ID,
        "LambdaFunctionArn": function_arn,
        "Events": ["s3:ObjectCreated:*"],
        "Filter": {"Key": {"FilterRules": [{"Name": "prefix", "Value": keys.INPUT_PREFIX}]}},
    }


def tells_of_uploads(configuration: Mapping[str, Any], function_arn: str) -> bool:
    """Return whether a bucket's configuration has the rule, under whatever id."""
    wanted = _without_id(upload_rule(function_arn))
    return any(_without_id(rule) == wanted for rule in configuration.get(_LAMBDA, []))


def with_upload_rule(configuration: Mapping[str, Any], function_arn: str) -> dict[str, Any]:
    """Return a bucket's configuration with the rule, and with all else that it has."""
    others = [rule for rule in configuration.get(_LAMBDA, []) if rule.get("Id") != _ID]
    kept = {name: value for name, value in configuration.items() if name != "ResponseMetadata"}
    return {**kept, _LAMBDA: [*others, upload_rule(function_arn)]}


def _without_id(rule: Mapping[str, Any]) -> dict[str, Any]:
    # S3 answers with "Prefix", whatever case it was given.
    found = rule.get("Filter", {}).get("Key", {}).get("FilterRules", [])
    rules = sorted((each["Name"].lower(), each["Value"]) for each in found)
    return {
        "function": rule.get("LambdaFunctionArn"),
        "events": sorted(rule.get("Events", [])),
        "filter": rules,
    }
