"""How a stack is set up to work on jobs: by its template, and by its parameters."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, Any

from batchcore import jobs, workflow
from batchcore.upload import INPUT_FORMAT

from batchops.core.errors import StackError
from batchops.core.project import Project
from batchops.core.stack_ref import describe_stack
from batchops.deployment.deployed import deployed_template
from batchops.deployment.template import load_template

if TYPE_CHECKING:
    from batchops.core.stack_ref import StackRef

# What the template puts before the name of a function's folder in source/.
_STACK_PREFIX = "${AWS::StackName}-"


@dataclass(frozen=True)
class FunctionSettings:
    """What a template gives to a function."""

    memory_mb: int
    timeout_s: int


@dataclass(frozen=True)
class StackSettings:
    """How a stack is set up to work on jobs.

    Attributes
    ----------
    delimiter : str
        The delimiter of files.
    chunk_rows : int
        Rows a chunk; 0 where the split chooses for each file.
    max_concurrency : int
        Chunks in progress at a time; for a stack of the local engine, where that follows from this
        computer's cores, those that the template gives to a stack on AWS.
    api_calls_per_second : int or None
        The calls of the API that the stack accepts; None where it does not limit them itself.
    range_bytes : int
        The largest file that one call splits, and the size of the ranges of a larger one.
    merge_group_bytes : int
        The most bytes that one call merges.
    functions : dict of FunctionSettings
        The functions that work on jobs, by the names of their folders in ``source/``.
    input_format : int
        What the functions take as files, see `batchcore.upload`.
    region : str or None
        Where the stack is; None where no stack was asked.
    """

    delimiter: str
    chunk_rows: int
    max_concurrency: int
    api_calls_per_second: int | None
    range_bytes: int
    merge_group_bytes: int
    functions: Mapping[str, FunctionSettings]
    input_format: int = INPUT_FORMAT
    region: str | None = None


def read_settings(template: Mapping[str, Any], parameters: Mapping[str, str]) -> StackSettings:
    """Return what a template and parameters say; parameters that are not given have their default.

    Raises
    ------
    KeyError, TypeError, ValueError
        If the template or its parameters lack something.
    """
    defaults = {name: each.get("Default") for name, each in template["Parameters"].items()}
    values = {**defaults, **parameters}
    if values.get("LocalEngine") == "true":
        values["MaxConcurrency"] = defaults["MaxConcurrency"]
    functions = {
        each["Properties"]["FunctionName"]["Fn::Sub"].removeprefix(_STACK_PREFIX): each[
            "Properties"
        ]
        for each in template["Resources"].values()
        if each["Type"] == "AWS::Serverless::Function"
    }
    merge = functions[workflow.MERGE.function]
    return StackSettings(
        delimiter=jobs.parse_delimiter(values["FileDelimiter"]),
        chunk_rows=int(values["FileChunkSize"]),
        max_concurrency=int(values["MaxConcurrency"]),
        # Stacks of earlier versions have no such parameter.
        api_calls_per_second=int(values["ApiRateLimit"]) if "ApiRateLimit" in values else None,
        range_bytes=int(values["SplitRangeBytes"]),
        merge_group_bytes=int(merge["Environment"]["Variables"]["MERGE_GROUP_BYTES"]),
        functions={
            name: FunctionSettings(functions[name]["MemorySize"], functions[name]["Timeout"])
            for name in (workflow.NOTIFICATION, *workflow.JOB_FUNCTIONS)
        },
        input_format=int(template.get("Outputs", {}).get("InputFormat", {"Value": 1})["Value"]),
    )


@cache
def shipped_settings() -> StackSettings:
    """Return the settings of a stack that is deployed as shipped, with all defaults.

    Raises
    ------
    ProjectError
        The installation is not complete.
    """
    return read_settings(load_template(Project.shipped().template), {})


def deployed_settings(stack: StackRef) -> StackSettings:
    """Return the settings of a deployed stack, by its own template and parameters.

    Raises
    ------
    StackNotFoundError, AwsError
    StackError
        If its template or its parameters are not those of batchops.
    """
    _ = stack.outputs  # raises where there is no such stack
    cfn = stack.client("cloudformation")
    described = describe_stack(cfn, stack.name) or {}
    parameters = {
        parameter["ParameterKey"]: parameter["ParameterValue"]
        for parameter in described.get("Parameters", [])
    }
    template = deployed_template(cfn, stack.name)
    try:
        return replace(read_settings(template, parameters), region=stack.target.region)
    except (KeyError, TypeError, ValueError) as error:
        raise StackError(
            f"stack {stack.name!r} cannot be planned for: its template or its parameters lack "
            f"something ({error}): deploy it again",
            stack_name=stack.name,
        ) from error
