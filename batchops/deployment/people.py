"""What the people who use a stack may call: one table of the verbs and the calls that each makes.

The policies in template.yaml and the tables in docs/security.md are made from it (``make
policies``). The end-to-end tests run each verb with its role's policy, record its calls, and hold
the table to them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from batchcore import keys, workflow

_ARN = "arn:${AWS::Partition}:%s:${AWS::Region}:${AWS::AccountId}:%s"
_FILES = "${SourceBucket.Arn}/"
_MAIN, _CHUNK = "${AWS::StackName}-main-orchestrator", "${AWS::StackName}-process-chunk"
# All but the custom resource's, which sets the stack up.
_FUNCTIONS = (workflow.NOTIFICATION, *workflow.JOB_FUNCTIONS)

# What calls are about, with the ARNs that stand for it in a policy. Names are whole, because with
# orders-* the policy of a stack "orders" would reach a stack "orders-dev" too.
RESOURCES: dict[str, tuple[str, ...]] = {
    "stack": (_ARN % ("cloudformation", "stack/${AWS::StackName}/*"),),
    "bucket": ("${SourceBucket.Arn}",),
    "input": (f"{_FILES}{keys.INPUT_PREFIX}*",),
    "jobs": (f"{_FILES}jobs/*",),
    "manifests": (f"{_FILES}jobs/*/manifest-*.json",),
    "chunks": (f"{_FILES}jobs/*/chunks/*",),
    "JobTable": ("${JobTable.Arn}", "${JobTable.Arn}/index/*"),
    "errors": ("${ErrorRangesTable.Arn}", "${ErrorTable.Arn}"),
    "FinancialTable": ("${FinancialTable.Arn}",),
    "validation": (
        _ARN % ("lambda", f"function:${{AWS::StackName}}-{workflow.VALIDATE.function}"),
    ),
    "functions": tuple(
        _ARN % ("lambda", f"function:${{AWS::StackName}}-{name}") for name in _FUNCTIONS
    ),
    "schema": (_ARN % ("lambda", "layer:${AWS::StackName}-schema:*"),),
    "layers": tuple(
        _ARN % ("lambda", f"layer:${{AWS::StackName}}-{name}:*")
        for name in ("common", "schema", "reference")
    ),
    "logs": tuple(
        _ARN % ("logs", f"log-group:/aws/lambda/${{AWS::StackName}}-{name}*")
        for name in (*_FUNCTIONS, "custom-resource")
    ),
    "queue": ("${UnstartedUploadsQueue.Arn}",),
    "main": (_ARN % ("states", f"stateMachine:{_MAIN}"),),
    "workflows": (
        _ARN % ("states", f"stateMachine:{_MAIN}"),
        _ARN % ("states", f"stateMachine:{_CHUNK}"),
    ),
    "executions": (
        _ARN % ("states", f"execution:{_MAIN}:*"),
        _ARN % ("states", f"execution:{_CHUNK}:*"),
        _ARN % ("states", f"mapRun:{_MAIN}/*"),
    ),
}

# What is part of something else, for which the same action need not stand twice: a managed policy
# may have 6,144 characters (IAM quotas).
_PART_OF = {"validation": "functions", "manifests": "jobs", "chunks": "jobs", "schema": "layers"}

Calls = Mapping[str, frozenset[str]]


def calls(*others: Calls, **actions: str) -> Calls:
    """Return calls by what they are about: those of others, and more as words."""
    found: dict[str, frozenset[str]] = {}
    more = [{name: frozenset(text.split()) for name, text in actions.items()}]
    for each in (*others, *more):
        for name, called in each.items():
            found[name] = found.get(name, frozenset()) | called
    return found


_STACK = calls(stack="cloudformation:DescribeStacks")
_SCHEMA = calls(validation="lambda:GetFunctionConfiguration", schema="lambda:GetLayerVersion")
_ENTRY = calls(_STACK, JobTable="dynamodb:GetItem")
# An object that is not there any more: without the right to list, S3 says that it is forbidden.
_GONE = calls(bucket="s3:ListBucket")
_CHUNKS = calls(_ENTRY, JobTable="dynamodb:Query dynamodb:BatchGetItem")
_STATUS = calls(
    _CHUNKS,
    _GONE,
    manifests="s3:GetObject",
    executions="states:DescribeExecution",
)
_FILE = calls(_STATUS, jobs="s3:GetObject")
_READ = calls(_FILE, jobs="s3:GetObjectVersion")
_ERRORS = calls(_STATUS, _SCHEMA, jobs="s3:GetObject s3:GetObjectVersion", errors="dynamodb:Query")
# Of a job's errors, graph and times.
_PICTURES = calls(
    _ERRORS,
    workflows="states:DescribeStateMachine",
    executions="states:GetExecutionHistory",
)
_PLAN = calls(
    _SCHEMA,
    _STACK,
    stack="cloudformation:GetTemplate",
    JobTable="dynamodb:GetItem dynamodb:Query",
    FinancialTable="dynamodb:BatchGetItem",
)
_ATTEMPT = calls(
    _STATUS,
    bucket="s3:ListBucketVersions",
    jobs="s3:GetObject s3:GetObjectVersion",
    manifests="s3:PutObject",
    functions="lambda:GetFunctionConfiguration",
    JobTable="dynamodb:PutItem dynamodb:UpdateItem dynamodb:DeleteItem",
    main="states:StartExecution",
    workflows="states:ListExecutions",
    executions="states:StopExecution states:ListMapRuns states:DescribeMapRun",
)

# The calls of each verb, as it is typed.
VERBS: dict[str, Calls] = {
    "outputs": _STACK,
    "plan": _PLAN,
    "submit": calls(_STACK, _SCHEMA, input="s3:PutObject"),
    "show": _STATUS,
    "wait": _STATUS,
    "watch": _STATUS,
    "status": _STACK,
    "resources": calls(_STACK, stack="cloudformation:ListStackResources"),
    # Of jobs that run, Step Functions may know an end that the ledger does not.
    "jobs": calls(_ENTRY, JobTable="dynamodb:Query", executions="states:DescribeExecution"),
    "why": _ERRORS,
    "errors": _ERRORS,
    "rejects": _FILE,
    "output": calls(_FILE, _SCHEMA, jobs="s3:GetObjectVersion"),
    "download": _READ,
    "link": _READ,
    "email": _READ,
    "balance": _ERRORS,
    "duplicates": calls(_FILE, _SCHEMA, jobs="s3:GetObjectVersion"),
    "chunks": _CHUNKS,
    "steps": calls(_ENTRY, executions="states:GetExecutionHistory"),
    "lineage": calls(_FILE, executions="states:DescribeExecution"),
    "cost": calls(_CHUNKS, stack="cloudformation:GetTemplate"),
    "plot": _PICTURES,
    "report": calls(_PICTURES, stack="cloudformation:GetTemplate"),
    "compare": _ERRORS,
    "what-if": calls(_FILE, _SCHEMA, jobs="s3:GetObjectVersion"),
    "schema explain": calls(_STACK, _SCHEMA),
    "rerun": _ATTEMPT,
    "repair": calls(
        _ATTEMPT,
        _ERRORS,
        chunks="s3:PutObject",
        FinancialTable="dynamodb:BatchGetItem",
    ),
    "stop": calls(
        _STATUS,
        JobTable="dynamodb:UpdateItem dynamodb:PutItem dynamodb:DeleteItem",
        workflows="states:ListExecutions",
        executions="states:StopExecution states:ListMapRuns states:DescribeMapRun",
    ),
    "redeliver": calls(
        _STACK,
        queue="sqs:ReceiveMessage sqs:DeleteMessage sqs:ChangeMessageVisibility",
        functions="lambda:InvokeFunction",
    ),
    "reconcile": calls(
        _STATUS,
        bucket="s3:ListBucketVersions",
        jobs="s3:GetObject s3:GetObjectVersion",
        functions="lambda:InvokeFunction",
    ),
    "logs": calls(_ENTRY, logs="logs:FilterLogEvents"),
    "event": calls(_ENTRY, executions="states:GetExecutionHistory"),
    "chunk": calls(_ERRORS, logs="logs:FilterLogEvents"),
    "invoke": calls(
        _STACK,
        functions="lambda:InvokeFunction lambda:GetFunctionConfiguration",
        layers="lambda:GetLayerVersion",
    ),
}

_UPLOADER = ("outputs", "plan", "submit", "show", "wait", "watch")
_READER = (
    *("outputs", "status", "resources", "plan", "jobs", "show", "wait", "watch", "why", "errors"),
    *("rejects", "output", "download", "link", "email", "balance", "duplicates", "chunks", "steps"),
    *("lineage", "cost", "plot", "report", "compare", "what-if", "schema explain"),
)
# The verbs of each role.
ROLES: dict[str, tuple[str, ...]] = {
    "uploader": _UPLOADER,
    "reader": _READER,
    "operator": (
        *_READER,
        *(
            "submit",
            "rerun",
            "repair",
            "stop",
            "redeliver",
            "reconcile",
            "logs",
            "event",
            "chunk",
            "invoke",
        ),
    ),
}


DESCRIPTIONS = {
    "uploader": "submit files, and see how their jobs stand",
    "reader": "see how jobs stand, and read their results",
    "operator": "all of the reader's, submit files, and rerun, repair and stop jobs",
}


@dataclass(frozen=True)
class Statement:
    """A statement of a policy, which allows actions on resources.

    Attributes
    ----------
    sid : str
        Its id.
    actions, resources : tuple of str
        The actions; the ARNs, as ``Fn::Sub`` takes them.
    """

    sid: str
    actions: tuple[str, ...]
    resources: tuple[str, ...]


def role_statements(role: str) -> list[Statement]:
    """Return the statements of a role's policy, one for each thing that its verbs call for."""
    found = calls(*(VERBS[verb] for verb in ROLES[role]))
    nothing: frozenset[str] = frozenset()
    needed = {name: found[name] - found.get(_PART_OF.get(name, ""), nothing) for name in found}
    return [
        Statement(name[0].upper() + name[1:], tuple(sorted(needed[name])), arns)
        for name, arns in RESOURCES.items()
        if needed.get(name)
    ]
