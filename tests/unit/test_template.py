"""What must hold of the template and the workflows, as far as that can be told without AWS."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from asl import MACHINES, State, definition, definition_text, levels, next_states, reachable, states
from batchcore import aws, errors, items, jobs, keys, workflow
from batchcore.schema import DIALECT
from batchcore.upload import INPUT_FORMAT
from hypothesis import given
from hypothesis import strategies as st
from support import JOB_TABLE, ROOT, SOURCE, TEMPLATE, environment, function_of, resource, resources

if TYPE_CHECKING:
    from pathlib import Path

    from support import LoadApp

FUNCTIONS = resources("AWS::Serverless::Function")
ROLES = resources("AWS::IAM::Role")
BUCKETS = resources("AWS::S3::Bucket")
FOLDERS = sorted(path.parent.name for path in SOURCE.glob("*/app.py"))

Statement = dict[str, Any]


# ------------------------------------------------------------------------------ helpers


def as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def on_aws(value: Any) -> Any:
    """Return a value of the template as it is on AWS, that is with the condition OnAws."""
    if isinstance(value, list):
        kept = [on_aws(part) for part in value]
        return [part for part in kept if part != {"Ref": "AWS::NoValue"}]
    if isinstance(value, dict):
        if value.keys() == {"Fn::If"} and value["Fn::If"][0] == "OnAws":
            return on_aws(value["Fn::If"][1])
        return {name: on_aws(part) for name, part in value.items()}
    return value


def text_of(value: Any) -> str:
    """Return a text of the template with its placeholders."""
    if isinstance(value, dict):
        ((function, argument),) = value.items()
        if function == "Ref":
            return f"${{{argument}}}"
        if function == "Fn::GetAtt":
            return f"${{{'.'.join(argument)}}}"
        return str(as_list(argument)[0])
    return str(value)


def role_statements(role: str) -> list[Statement]:
    policies = resource(role)["Properties"].get("Policies", [])
    return [s for policy in policies for s in policy["PolicyDocument"]["Statement"]]


def allowed(role: str, action: str) -> list[str]:
    """Return what a role may do an action to, on AWS."""
    return [
        text_of(target)
        for statement in role_statements(role)
        if action in as_list(statement["Action"])
        for target in as_list(on_aws(statement["Resource"]))
    ]


def lint(path: Path) -> list[dict[str, Any]]:
    # With the interpreter at hand: the script beside it need not be on PATH.
    run = "import sys; from cfnlint.runner import main; sys.exit(main())"
    command = [sys.executable, "-c", run, "--format", "json", "--regions", "us-east-1"]
    done = subprocess.run(
        [*command, "--", str(path)], capture_output=True, text=True, timeout=120, check=False
    )
    assert not done.stderr
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


ALL_STATES = [
    pytest.param(machine, name, id=f"{machine}: {name}")
    for machine in MACHINES
    for name in states(machine)
]
TASKS = [
    pytest.param(machine, name, id=f"{machine}: {name}")
    for machine in MACHINES
    for name, state in states(machine).items()
    if state["Type"] == "Task"
]


# --------------------------------------------------------------------- template as a whole


@pytest.mark.slow
def test_template_is_clean_including_warnings() -> None:
    assert lint(ROOT / "template.yaml") == []


@pytest.mark.slow
def test_linter_would_find_something(tmp_path: Path) -> None:
    runtimes = {"CompatibleRuntimes": ["python3.8"]}
    code = {"Type": "AWS::Lambda::LayerVersion", "Properties": runtimes}
    path = tmp_path / "template.yaml"
    path.write_text(json.dumps({"Resources": {"Layer": code}}), encoding="utf-8")
    assert lint(path)


def test_template_has_neither_anchors_nor_aliases() -> None:
    # AWS CloudFormation user guide, template formats: aliases are not supported.
    events = list(yaml.parse((ROOT / "template.yaml").read_text(encoding="utf-8")))
    assert not [event for event in events if getattr(event, "anchor", None)]


def test_parameters_are_those_that_people_know() -> None:
    defaults = {name: p.get("Default") for name, p in TEMPLATE["Parameters"].items()}
    public = {
        "SESSender": None,
        "SESRecipient": None,
        "SESIdentityName": None,
        "InputArchiveFolder": "input_archive",
        "FileChunkSize": 0,
        "FileDelimiter": ",",
    }
    assert {name: defaults.get(name) for name in public} == public
    for name in ("MaxConcurrency", "LogRetentionDays", "IntermediateExpiryDays"):
        assert isinstance(defaults[name], int)
    # Whoever gives no more than the mail addresses gets a stack.
    assert [name for name, value in defaults.items() if value is None] == list(public)[:3]


def test_every_parameter_is_described_grouped_and_used() -> None:
    interface = TEMPLATE["Metadata"]["AWS::CloudFormation::Interface"]
    grouped = [name for group in interface["ParameterGroups"] for name in group["Parameters"]]
    assert sorted(grouped) == sorted(TEMPLATE["Parameters"])
    text = json.dumps([TEMPLATE[part] for part in ("Resources", "Conditions", "Globals")])
    for name, parameter in TEMPLATE["Parameters"].items():
        assert parameter["Description"]
        assert f'"{name}"' in text or f"${{{name}}}" in text


@given(
    st.one_of(st.text(max_size=2), st.sampled_from(["tab", "comma", "semicolon", "pipe", "\\t"]))
)
def test_delimiter_that_the_stack_takes_is_one_that_the_functions_take(text: str) -> None:
    pattern = TEMPLATE["Parameters"]["FileDelimiter"]["AllowedPattern"]
    try:
        jobs.parse_delimiter(text)
    except ValueError:
        assert not re.fullmatch(pattern, text)
    else:
        assert re.fullmatch(pattern, text)


@pytest.mark.parametrize("folder", ["input_archive", "archive/2026", "a.b-c", "inputs", "jobs2"])
def test_archive_may_be_any_other_folder(folder: str) -> None:
    assert re.fullmatch(TEMPLATE["Parameters"]["InputArchiveFolder"]["AllowedPattern"], folder)


@pytest.mark.parametrize(
    "folder", ["", "input", "input/done", "jobs", "jobs/x", "/a", "a/", "a//b"]
)
def test_archive_may_not_start_jobs_or_lie_in_their_way(folder: str) -> None:
    assert not re.fullmatch(TEMPLATE["Parameters"]["InputArchiveFolder"]["AllowedPattern"], folder)


def test_resources_have_the_names_of_the_walkthrough() -> None:
    named = {
        "SourceBucket": "AWS::S3::Bucket",
        "LoggingBucket": "AWS::S3::Bucket",
        "FinancialTable": "AWS::DynamoDB::Table",
        "ErrorTable": "AWS::DynamoDB::Table",
        "ErrorRangesTable": "AWS::DynamoDB::Table",
        "JobTable": "AWS::DynamoDB::Table",
        "BlogBatchMainOrchestrator": "AWS::Serverless::StateMachine",
        "BlogBatchProcessChunk": "AWS::Serverless::StateMachine",
        "Api": "AWS::Serverless::Api",
        "SNSTopic": "AWS::SNS::Topic",
        "PostStackProcessing": "AWS::CloudFormation::CustomResource",
    }
    assert {name: resource(name)["Type"] for name in named} == named


def test_earlier_stack_that_is_updated_asks_the_custom_resource_again() -> None:
    """Otherwise an output of what it did not answer then would fail the update."""
    name = "PostStackProcessing"
    answers = str(resource(name)["Properties"]["Answers"]).split(", ")
    wanted = [str(output["Value"]) for output in TEMPLATE["Outputs"].values()]
    assert {f"{{'Fn::GetAtt': ['{name}', '{each}']}}" for each in answers} == {
        value for value in wanted if name in value
    }


def test_outputs_hold_whatever_the_client_reads() -> None:
    sources = [p.read_text(encoding="utf-8") for p in (ROOT / "batchops").rglob("*.py")]
    reads = r'(?:outputs\[|outputs\.get\(|_table\()\s*"(\w+)"'
    wanted = {name for text in sources for name in re.findall(reads, text)}
    assert {"SourceBucketName", "JobTableName", "ErrorTableName"} <= wanted
    assert wanted <= TEMPLATE["Outputs"].keys()


def test_stack_says_its_version_and_those_of_ledger_schema_and_inputs() -> None:
    from batchops.core.version import __version__

    names = ("Version", "LedgerFormat", "SchemaDialect", "InputFormat")
    assert {name: TEMPLATE["Outputs"][name]["Value"] for name in names} == {
        "Version": __version__,
        "LedgerFormat": str(items.LEDGER_FORMAT),
        "SchemaDialect": str(DIALECT),
        "InputFormat": str(INPUT_FORMAT),
    }


# ----------------------------------------------------------------------------- functions


def test_functions_are_exactly_the_folders_with_an_app() -> None:
    uris = [function["Properties"]["CodeUri"] for function in FUNCTIONS.values()]
    assert sorted(uris) == [f"source/{folder}" for folder in FOLDERS]
    assert len(FOLDERS) == 10


@pytest.mark.parametrize("name", FUNCTIONS)
def test_function_is_named_after_its_folder(name: str) -> None:
    folder = FUNCTIONS[name]["Properties"]["CodeUri"].removeprefix("source/")
    camel = "".join(part.capitalize() for part in folder.split("-"))
    assert name == f"{camel}Function"
    assert text_of(FUNCTIONS[name]["Properties"]["FunctionName"]) == f"${{AWS::StackName}}-{folder}"


@pytest.mark.parametrize("name", FUNCTIONS)
def test_function_has_its_own_role_log_group_and_bounds(name: str) -> None:
    properties, stem = FUNCTIONS[name]["Properties"], name.removesuffix("Function")
    assert properties["Role"] == {"Fn::GetAtt": [f"{stem}Role", "Arn"]}
    assert properties["LoggingConfig"] == {"LogGroup": {"Ref": f"{stem}LogGroup"}}
    group = text_of(resource(f"{stem}LogGroup")["Properties"]["LogGroupName"])
    assert group == f"/aws/lambda/{text_of(properties['FunctionName'])}"
    assert properties["MemorySize"] >= 256
    assert 1 <= properties["Timeout"] <= 900


@pytest.mark.parametrize("name", FUNCTIONS)
def test_function_may_write_to_its_own_log_group_only(name: str) -> None:
    stem = name.removesuffix("Function")
    for action in ("logs:CreateLogStream", "logs:PutLogEvents"):
        assert allowed(f"{stem}Role", action) == [f"${{{stem}LogGroup.Arn}}"]


def test_runtime_is_supported_and_the_same_for_functions_and_layers() -> None:
    shared = TEMPLATE["Globals"]["Function"]
    # AWS Lambda developer guide, runtimes: both supported until June 2029.
    assert shared["Runtime"] in {"python3.13", "python3.14"}
    assert shared["Handler"] == "app.lambda_handler"
    for layer in resources("AWS::Serverless::LayerVersion").values():
        assert layer["Properties"]["CompatibleRuntimes"] == [shared["Runtime"]]
    assert not [f for f in FUNCTIONS.values() if "Runtime" in f["Properties"]]
    built = re.search(r'LAMBDA_PYTHON = "(.+)"', (SOURCE / "common/build_layer.py").read_text())
    assert built is not None
    assert shared["Runtime"] == f"python{built[1]}"


@pytest.mark.parametrize("name", FUNCTIONS)
def test_function_needs_no_build(name: str) -> None:
    # Otherwise `sam build` looks for the interpreter that Runtime names.
    assert FUNCTIONS[name]["Metadata"] == {"SkipBuild": True}
    folder = ROOT / FUNCTIONS[name]["Properties"]["CodeUri"]
    assert not (folder / "requirements.txt").exists()


def environment_reads(path: Path) -> set[str]:
    """Return the names that a module reads from os.environ."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Subscript) and ast.unparse(node.value) == "os.environ":
            found.add(ast.literal_eval(node.slice))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "os.environ.get":
            found.add(ast.literal_eval(node.args[0]))
    return found


@pytest.mark.parametrize("folder", FOLDERS)
def test_function_gets_exactly_the_variables_that_it_reads(folder: str) -> None:
    given_by_lambda = {"AWS_REGION", "AWS_ENDPOINT_URL"}
    own = environment(folder).keys() - SHARED
    assert environment_reads(SOURCE / folder / "app.py") - given_by_lambda == own


SHARED = TEMPLATE["Globals"]["Function"]["Environment"]["Variables"].keys()


def test_variables_of_all_functions_are_those_that_their_layer_reads() -> None:
    layer = SOURCE.glob("common/batchcore/*.py")
    read = {name for path in layer for name in environment_reads(path)}
    assert {name for name in SHARED if not name.startswith("POWERTOOLS_")} == read


# -------------------------------------------------------------------------- permissions

# Neither X-Ray nor the log deliveries of Step Functions have resources to name.
WITHOUT_RESOURCES = {
    "xray:PutTraceSegments",
    "xray:PutTelemetryRecords",
    "xray:GetSamplingRules",
    "xray:GetSamplingTargets",
    "logs:CreateLogDelivery",
    "logs:GetLogDelivery",
    "logs:UpdateLogDelivery",
    "logs:DeleteLogDelivery",
    "logs:ListLogDeliveries",
    "logs:PutResourcePolicy",
    "logs:DescribeResourcePolicies",
    "logs:DescribeLogGroups",
}


@pytest.mark.parametrize("role", ROLES)
def test_role_may_do_named_things_to_named_resources(role: str) -> None:
    for statement in role_statements(role):
        actions = as_list(statement["Action"])
        assert statement["Effect"] == "Allow"
        assert not [action for action in actions if "*" in action]
        for target in as_list(on_aws(statement["Resource"])):
            text = text_of(target)
            if text == "*":
                assert set(actions) <= WITHOUT_RESOURCES
            else:
                # The bucket, table or name is always given; only a part behind it may vary.
                assert not text.startswith("*")
                assert re.match(r"\$\{\w+(\.Arn)?\}|arn:\$\{AWS::Partition\}:", text)


@pytest.mark.parametrize("role", ROLES)
def test_role_may_be_taken_by_one_service_only(role: str) -> None:
    (statement,) = ROLES[role]["Properties"]["AssumeRolePolicyDocument"]["Statement"]
    assert statement["Action"] == "sts:AssumeRole"
    assert re.fullmatch(
        r"(lambda|states|apigateway)\.amazonaws\.com", statement["Principal"]["Service"]
    )


def test_mail_may_go_out_from_any_identity_on_the_local_engine_only() -> None:
    (mail,) = [s for s in role_statements("SendEmailRole") if s.get("Sid") == "Mail"]
    condition, aws_targets, local_target = mail["Resource"]["Fn::If"]
    assert (condition, local_target) == ("OnAws", "*")
    *identities, configuration_sets = aws_targets
    assert all(":identity/" in json.dumps(target) for target in identities)
    # Amazon SES: an identity with a default configuration set sends by way of that one.
    assert configuration_sets["Fn::Sub"].endswith(":configuration-set/*")


def test_mail_may_go_out_as_the_sender_only_and_on_aws_the_key_must_be_there() -> None:
    # Amazon SES developer guide, identity and access management: ses:FromAddress is filled in.
    (mail,) = [s for s in role_statements("SendEmailRole") if s.get("Sid") == "Mail"]
    sender = {"ses:FromAddress": {"Ref": "SESSender"}}
    assert on_aws(mail["Condition"]) == {"StringEquals": sender}
    # So the function has to send as exactly that.
    assert function_of("send-email")["Environment"]["Variables"]["SES_SENDER"] == {
        "Ref": "SESSender"
    }


def test_main_workflow_may_run_its_map_and_the_chunks() -> None:
    # AWS Step Functions developer guide: policies for Distributed Map and for .sync:2.
    role = "MainOrchestratorRole"
    prefix = "arn:${AWS::Partition}:states:${AWS::Region}:${AWS::AccountId}"
    main, chunk = (text_of(resource(machine)["Properties"]["Name"]) for machine in MACHINES)
    assert set(allowed(role, "states:StartExecution")) == {
        f"{prefix}:stateMachine:{main}",
        "${BlogBatchProcessChunk}",
    }
    for action in ("states:DescribeExecution", "states:StopExecution"):
        targets = allowed(role, action)
        assert (
            f"{prefix}:execution:{main}/*" in targets or f"{prefix}:execution:{main}:*" in targets
        )
        assert f"{prefix}:execution:{chunk}:*" in targets
    for action in ("events:PutTargets", "events:PutRule", "events:DescribeRule"):
        (rule,) = allowed(role, action)
        assert rule.endswith(":rule/StepFunctionsGetEventsForStepFunctionsExecutionRule")
    assert allowed(role, "sns:Publish") == ["${SNSTopic}"]
    assert allowed(role, "kms:GenerateDataKey") == ["${EncryptionKey.Arn}"]


# What else roles may do with the objects that they use is tried by tests/e2e/test_roles.py.
@pytest.mark.parametrize("key", [keys.completed("j", "input/a"), keys.rejected("j", "input/a")])
def test_merge_may_abort_its_uploads_which_the_engine_does_not_tell(key: str) -> None:
    patterns = allowed("MergeS3FilesRole", "s3:AbortMultipartUpload")
    assert [p for p in patterns if fnmatchcase(key, p.removeprefix("${SourceBucket.Arn}/"))]


@pytest.mark.parametrize("role", [name for name in ROLES if allowed(name, "s3:PutObject")])
def test_role_that_stores_intermediate_objects_may_tag_them(role: str) -> None:
    stored = set(allowed(role, "s3:PutObject"))
    tagged = set(allowed(role, "s3:PutObjectTagging"))
    untagged = {target for target in stored - tagged if "/completed/" not in target}
    assert {target for target in untagged if "/rejected/" not in target} == set()


# ------------------------------------------------------------------------------- storage


@pytest.mark.parametrize("bucket", BUCKETS)
def test_bucket_is_encrypted_versioned_and_private(bucket: str) -> None:
    properties = BUCKETS[bucket]["Properties"]
    (rule,) = properties["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    assert rule["ServerSideEncryptionByDefault"]["SSEAlgorithm"] in {"AES256", "aws:kms"}
    assert properties["VersioningConfiguration"] == {"Status": "Enabled"}
    assert properties["PublicAccessBlockConfiguration"] == {
        "BlockPublicAcls": True,
        "BlockPublicPolicy": True,
        "IgnorePublicAcls": True,
        "RestrictPublicBuckets": True,
    }
    # New buckets have no ACLs, so one that sets any cannot be made.
    assert "AccessControl" not in properties
    (ownership,) = properties["OwnershipControls"]["Rules"]
    assert ownership == {"ObjectOwnership": "BucketOwnerEnforced"}


@pytest.mark.parametrize("bucket", BUCKETS)
def test_bucket_insists_on_tls_on_aws(bucket: str) -> None:
    policies = [
        policy
        for policy in resources("AWS::S3::BucketPolicy").values()
        if policy["Properties"]["Bucket"] == {"Ref": bucket}
    ]
    (policy,) = policies
    assert policy.get("Condition") in {None, "OnAws"}
    statements = on_aws(policy["Properties"]["PolicyDocument"]["Statement"])
    (tls,) = [s for s in statements if s["Effect"] == "Deny"]
    assert (tls["Principal"], tls["Action"]) == ("*", "s3:*")
    assert tls["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    arn = f"${{{bucket}.Arn}}"
    assert [text_of(target) for target in tls["Resource"]] == [arn, f"{arn}/*"]


def test_queue_insists_on_tls_on_aws() -> None:
    assert list(resources("AWS::SQS::Queue")) == ["UnstartedUploadsQueue"]
    (policy,) = resources("AWS::SQS::QueuePolicy").values()
    assert policy["Condition"] == "OnAws"
    assert policy["Properties"]["Queues"] == [{"Ref": "UnstartedUploadsQueue"}]
    (tls,) = policy["Properties"]["PolicyDocument"]["Statement"]
    assert (tls["Effect"], tls["Principal"], tls["Action"]) == ("Deny", "*", "sqs:*")
    assert text_of(tls["Resource"]) == "${UnstartedUploadsQueue.Arn}"
    assert tls["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}


def test_logs_are_delivered_by_policy_of_this_account_alone() -> None:
    policy = resource("LoggingBucketPolicy")["Properties"]["PolicyDocument"]
    (deliver,) = [s for s in on_aws(policy["Statement"]) if s["Effect"] == "Allow"]
    assert deliver["Principal"] == {"Service": "logging.s3.amazonaws.com"}
    assert deliver["Action"] == "s3:PutObject"
    logging = resource("SourceBucket")["Properties"]["LoggingConfiguration"]
    assert text_of(deliver["Resource"]) == f"${{LoggingBucket.Arn}}/{logging['LogFilePrefix']}*"
    assert deliver["Condition"]["StringEquals"] == {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}
    assert resource("SourceBucket")["DependsOn"] == "LoggingBucketPolicy"


def test_lifecycle_removes_what_the_functions_mark_and_no_uploads() -> None:
    rules = resource("SourceBucket")["Properties"]["LifecycleConfiguration"]["Rules"]
    kept = {}
    for rule in (rule for rule in rules if "Fn::If" not in rule):
        if "ExpirationInDays" in rule:
            (tag,) = rule["TagFilters"]
            kept[f"{tag['Key']}={tag['Value']}"] = rule["ExpirationInDays"]["Ref"]
        if "ExpirationInDays" in rule or "NoncurrentVersionExpiration" in rule:
            assert rule["Prefix"] == keys.JOBS_PREFIX
    assert kept == {aws.INTERMEDIATE: "IntermediateExpiryDays", aws.ERRORS: "ErrorExpiryDays"}


@pytest.mark.parametrize("table", resources("AWS::DynamoDB::Table"))
def test_table_is_encrypted_recoverable_and_pays_for_use(table: str) -> None:
    properties = resource(table)["Properties"]
    assert properties["SSESpecification"] == {"SSEEnabled": True}
    assert properties["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}
    assert properties["BillingMode"] == "PAY_PER_REQUEST"


def test_tables_have_the_keys_that_the_code_uses() -> None:
    def key_of(properties: dict[str, Any]) -> list[str]:
        return [part["AttributeName"] for part in properties["KeySchema"]]

    assert key_of(resource("FinancialTable")["Properties"]) == ["uuid"]
    assert key_of(resource("ErrorTable")["Properties"]) == ["jobId", "errorId"]
    assert key_of(resource("ErrorRangesTable")["Properties"]) == ["jobRange", "errorId"]
    for name in ("ErrorTable", "ErrorRangesTable"):
        assert resource(name)["Properties"]["TimeToLiveSpecification"] == {
            "AttributeName": "ttl",
            "Enabled": True,
        }
    ledger = resource("JobTable")["Properties"]
    assert key_of(ledger) == ["jobId", "entry"]
    (index,) = ledger["GlobalSecondaryIndexes"]
    assert index["IndexName"] == items.JOBS_BY_START
    assert key_of(index) == ["listed", "startTime"]


@pytest.mark.parametrize("group", resources("AWS::Logs::LogGroup"))
def test_log_group_is_encrypted_and_does_not_keep_for_ever(group: str) -> None:
    properties = resource(group)["Properties"]
    assert properties["RetentionInDays"] == {"Ref": "LogRetentionDays"}
    assert properties["KmsKeyId"] == {"Fn::GetAtt": ["EncryptionKey", "Arn"]}
    # And the key lets the log service use it for this very group.
    statements = resource("EncryptionKey")["Properties"]["KeyPolicy"]["Statement"]
    (logs,) = [s for s in statements if s["Sid"] == "Logs"]
    arns = logs["Condition"]["ArnLike"]["kms:EncryptionContext:aws:logs:arn"]
    named = [text_of(arn).split(":log-group:")[1] for arn in arns]
    name = text_of(properties["LogGroupName"])
    assert [pattern for pattern in named if fnmatchcase(name, pattern)]


@pytest.mark.parametrize("machine", MACHINES)
def test_workflow_is_traced_and_logs_no_rows(machine: str) -> None:
    properties = resource(machine)["Properties"]
    assert properties["Type"] == "STANDARD"
    assert properties["Tracing"] == {"Enabled": True}
    assert properties["Logging"]["Level"] in {"ERROR", "ALL", "FATAL"}
    assert properties["Logging"]["IncludeExecutionData"] is False
    # AWS Step Functions developer guide: under this prefix there is no limit of policy size.
    (destination,) = properties["Logging"]["Destinations"]
    group = destination["CloudWatchLogsLogGroup"]["LogGroupArn"]["Fn::GetAtt"][0]
    assert text_of(resource(group)["Properties"]["LogGroupName"]).startswith("/aws/vendedlogs/")


# ------------------------------------------------------------------------ API and events


def test_api_is_regional_signed_and_runs_functions_with_their_own_role() -> None:
    api = resource("Api")["Properties"]
    assert api["EndpointConfiguration"] == {"Type": "REGIONAL"}
    assert api["Auth"] == {"DefaultAuthorizer": "AWS_IAM", "InvokeRole": "NONE"}
    assert api["TracingEnabled"] is True
    assert "DestinationArn" in api["AccessLogSetting"]


def test_api_has_the_two_routes_and_enrich_data_may_call_the_one() -> None:
    events = function_of("get-data")["Events"].values()
    routes = {(event["Properties"]["Method"], event["Properties"]["Path"]) for event in events}
    assert routes == {("POST", "/financials"), ("GET", "/financials/{uuid}")}
    (target,) = allowed("EnrichDataRole", "execute-api:Invoke")
    assert target.endswith(":${Api}/${Api.Stage}/POST/financials")


def test_api_waits_as_long_as_its_function_runs() -> None:
    # Amazon API Gateway quotas: an integration has 29 s.
    assert function_of("get-data")["Timeout"] <= 29


def test_api_accepts_no_more_than_its_share_of_the_accounts_requests() -> None:
    (settings,) = resource("Api")["Properties"]["MethodSettings"]
    assert (settings["ResourcePath"], settings["HttpMethod"]) == ("/*", "*")
    for name in ("ThrottlingRateLimit", "ThrottlingBurstLimit"):
        assert settings[name] == {"Ref": "ApiRateLimit"}
    # Amazon API Gateway quotas: 10,000 requests a second of an account, in bursts of 5,000.
    assert TEMPLATE["Parameters"]["ApiRateLimit"]["Default"] <= 5_000


RESERVED = {
    "Fn::If": ["ReservesConcurrency", {"Ref": "ReservedConcurrency"}, {"Ref": "AWS::NoValue"}]
}


def test_api_logs_each_request_in_a_group_of_the_stack() -> None:
    api = resource("Api")["Properties"]
    log = api["AccessLogSetting"]
    assert log["DestinationArn"] == {"Fn::GetAtt": ["ApiLogGroup", "Arn"]}
    for told in ("requestId", "status", "identity.userArn", "error.responseType"):
        assert f"$context.{told}" in log["Format"]
    # API Gateway writes a hyphen for what a request does not have.
    line = json.loads(re.sub(r"\$context\.[\w.]+", "-", log["Format"]))
    assert set(line.values()) == {"-"}
    # Those of executions would go into a group that is not the stack's.
    (settings,) = api["MethodSettings"]
    assert not {"LoggingLevel", "DataTraceEnabled"} & settings.keys()


def test_lost_end_of_a_job_needs_no_dead_letters() -> None:
    # What the targets of rules do with an event that is lost for good: start the next job, which
    # whoever looks does as well, and send a notice, which an alarm does of a job that timed out.
    targets = {
        name: [target["Arn"] for target in rule["Properties"]["Targets"]]
        for name, rule in resources("AWS::Events::Rule").items()
    }
    assert targets == {
        "StoppedJobRule": [{"Ref": "SNSTopic"}],
        "SucceededJobRule": [{"Ref": "SNSTopic"}],
        "EndedJobRule": [{"Fn::GetAtt": ["S3LambdaNotificationFunction", "Arn"]}],
    }
    assert resource("TimedOutJobsAlarm")["Properties"]["MetricName"] == "ExecutionsTimedOut"


def test_functions_of_jobs_reserve_what_the_parameter_says_and_by_default_nothing() -> None:
    assert TEMPLATE["Parameters"]["ReservedConcurrency"]["Default"] == 0
    nothing = {"Fn::Equals": [{"Ref": "ReservedConcurrency"}, 0]}
    assert TEMPLATE["Conditions"]["ReservesConcurrency"] == {"Fn::Not": [nothing]}
    # Not of the API's function, which ApiRateLimit bounds, nor of those of short calls, one a job.
    bounded = {step.function for step in (workflow.SPLIT, *workflow.CHUNK_STEPS, workflow.MERGE)}
    for function in FUNCTIONS.values():
        name = function["Properties"]["FunctionName"]["Fn::Sub"].removeprefix("${AWS::StackName}-")
        wanted = RESERVED if name in bounded else None
        assert function["Properties"].get("ReservedConcurrentExecutions") == wanted, name
    # As many at once as the description says.
    assert "six functions" in TEMPLATE["Parameters"]["ReservedConcurrency"]["Description"]
    assert len(bounded) == 6


def test_upload_whose_job_cannot_be_started_is_kept() -> None:
    invoke = function_of("s3-lambda-notification")["EventInvokeConfig"]
    destination = invoke["DestinationConfig"]["OnFailure"]
    assert destination["Type"] == "SQS"
    assert destination["Destination"] == {"Fn::GetAtt": ["UnstartedUploadsQueue", "Arn"]}
    role = "S3LambdaNotificationRole"
    assert allowed(role, "sqs:SendMessage") == ["${UnstartedUploadsQueue.Arn}"]
    queue = resource("UnstartedUploadsQueue")["Properties"]
    assert queue["MessageRetentionPeriod"] == 14 * 86_400
    assert queue["SqsManagedSseEnabled"] is True


def test_notification_is_set_after_s3_may_call_the_function() -> None:
    processing = resource("PostStackProcessing")
    (permission,) = [
        name
        for name, r in resources("AWS::Lambda::Permission").items()
        if r["Properties"]["Principal"] == "s3.amazonaws.com"
    ]
    assert permission in as_list(processing["DependsOn"])
    properties = resource(permission)["Properties"]
    assert properties["FunctionName"] == {"Ref": "S3LambdaNotificationFunction"}
    assert properties["SourceArn"] == {"Fn::GetAtt": ["SourceBucket", "Arn"]}
    assert properties["SourceAccount"] == {"Ref": "AWS::AccountId"}


def test_bucket_is_changed_by_one_at_a_time() -> None:
    # Of two changes to a bucket at once S3 refuses one; a deletion goes the other way round.
    after = resource("PostStackProcessing")["Properties"]["AfterPolicy"]
    assert after == {"Fn::If": ["OnAws", {"Ref": "SourceBucketPolicy"}, "none"]}
    assert resource("SourceBucketPolicy")["Condition"] == "OnAws"
    assert resource("SourceBucket")["DependsOn"] == "LoggingBucketPolicy"
    bucket, changing = {"Ref": "SourceBucket"}, set()
    for name, found in TEMPLATE["Resources"].items():
        properties = found.get("Properties", {})
        if bucket in (properties.get("Bucket"), properties.get("BucketName")):
            changing.add(name)
    assert changing == {"SourceBucketPolicy", "PostStackProcessing"}


def test_custom_resource_is_given_up_after_its_function_and_long_before_an_hour() -> None:
    timeout = int(resource("PostStackProcessing")["Properties"]["ServiceTimeout"])
    assert function_of("custom-resource")["Timeout"] < timeout <= 1200


def test_new_schema_or_reference_data_is_loaded_by_an_update() -> None:
    properties = resource("PostStackProcessing")["Properties"]
    assert {"Ref": "ReferenceLayer"} in properties.values()
    assert {"Ref": "SchemaLayer"} in properties.values()


def test_notices_are_encrypted_with_a_key_that_their_senders_may_use() -> None:
    assert resource("SNSTopic")["Properties"]["KmsMasterKeyId"] == {"Ref": "EncryptionKey"}
    statements = resource("EncryptionKey")["Properties"]["KeyPolicy"]["Statement"]
    users = {
        service
        for statement in statements
        for service in as_list(statement["Principal"].get("Service", []))
        if isinstance(service, str)
    }
    publishers = {
        service
        for policy in resources("AWS::SNS::TopicPolicy").values()
        for statement in policy["Properties"]["PolicyDocument"]["Statement"]
        for service in as_list(statement["Principal"]["Service"])
    }
    assert publishers <= users
    assert resource("EncryptionKey")["Properties"]["EnableKeyRotation"] is True


# ----------------------------------------------------------------------------- workflows


@pytest.mark.parametrize("machine", MACHINES)
def test_placeholders_are_exactly_the_substitutions(machine: str) -> None:
    placeholders = set(re.findall(r"\$\{(\w+)\}", definition_text(machine)))
    assert placeholders == resource(machine)["Properties"]["DefinitionSubstitutions"].keys()


@pytest.mark.parametrize("machine", MACHINES)
def test_substitutions_are_the_resources_that_they_are_named_after(machine: str) -> None:
    substitutions = resource(machine)["Properties"]["DefinitionSubstitutions"]
    renamed = {"ProcessChunkStateMachine": "BlogBatchProcessChunk"}
    for name, value in substitutions.items():
        target = value.get("Ref") or value["Fn::GetAtt"][0]
        assert target == renamed.get(name, name)


@pytest.mark.parametrize("machine", MACHINES)
def test_every_state_is_reached_and_leads_to_one_that_exists(machine: str) -> None:
    for start, found in levels(machine):
        assert reachable(found, start, without=set()) == found.keys()
        for state in found.values():
            last = state["Type"] in {"Succeed", "Fail"} or state.get("End", False)
            assert last == (not next_states(state))


@pytest.mark.parametrize("machine", MACHINES)
def test_workflow_ends_within_a_time(machine: str) -> None:
    assert definition(machine)["TimeoutSeconds"] <= 7 * 86_400


@pytest.mark.parametrize(("machine", "name"), TASKS)
def test_task_is_given_longer_than_its_function_takes(machine: str, name: str) -> None:
    state = states(machine)[name]
    if ":function:" in state["Resource"]:
        function = FUNCTIONS[state["Resource"].split(":function:")[1]]["Properties"]
        assert state["TimeoutSeconds"] > function["Timeout"]
    elif ":states:startExecution" in state["Resource"]:
        assert state["TimeoutSeconds"] > definition(MACHINES[1])["TimeoutSeconds"]
        assert state["TimeoutSeconds"] < definition(MACHINES[0])["TimeoutSeconds"]


@pytest.mark.parametrize(("machine", "name"), ALL_STATES)
def test_error_is_matched_by_one_rule_of_each_kind(machine: str, name: str) -> None:
    for kind in ("Retry", "Catch"):
        rules = states(machine)[name].get(kind, [])
        matched = [error for rule in rules for error in rule["ErrorEquals"]]
        assert len(set(matched)) == len(matched)


def raised_names() -> set[str]:
    """Return the names of the exceptions that the functions and the layer raise."""
    found = set()
    for path in [*SOURCE.glob("*/app.py"), *SOURCE.glob("common/batchcore/*.py")]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
                found.add(ast.unparse(node.exc.func).split(".")[-1])
    return found


@pytest.mark.parametrize(("machine", "name"), ALL_STATES)
def test_error_of_our_own_that_is_matched_is_one_that_we_raise(machine: str, name: str) -> None:
    state = states(machine)[name]
    matched = [
        error
        for rule in [*state.get("Retry", []), *state.get("Catch", [])]
        for error in rule["ErrorEquals"]
        if "." not in error
    ]
    for error in matched:
        assert issubclass(getattr(errors, error), Exception)
        assert error in raised_names()


def records(state: State) -> bool:
    """Tell whether a state writes a failure into the ledger."""
    values = state.get("Parameters", {}).get("ExpressionAttributeValues", {})
    return (
        state.get("Resource", "").endswith("dynamodb:updateItem")
        and {"S": workflow.FAILED} in values.values()
    )


# A chunk workflow records its own failures, and the merge names chunks without a result; those of a
# range of a split and of a group of a merge are their Map's. What records and what notifies come
# last: should they fail too, there is nothing left to tell it to.
NOT_RECORDED = {
    "Survey a range",
    "Cut a range",
    "Process chunk",
    "Upload one group",
    "Record failure",
    "Record rejection",
    "Notify failure",
    "Record unsent mail",
}
# These come when the end is recorded: they change nothing about it.
AFTER_THE_END = {"Announce the merged job", "Announce the failed job", "Email the file"}
NOT_RECORDED_IN_CHUNK = {"Record chunk failure"}


@pytest.mark.parametrize(("machine", "name"), ALL_STATES)
def test_failure_of_any_step_is_recorded(machine: str, name: str) -> None:
    state = states(machine)[name]
    if state["Type"] not in {"Task", "Map"} or name in (
        NOT_RECORDED | NOT_RECORDED_IN_CHUNK | AFTER_THE_END
    ):
        return
    found = definition(machine)["States"]
    recorders = {name for name, state in found.items() if records(state)}
    (catch,) = state["Catch"]
    assert catch["ErrorEquals"] == ["States.ALL"]
    # The state's input is kept, or nobody would know which job it was.
    assert catch["ResultPath"] == "$.failure"
    without_record = reachable(found, catch["Next"], without=recorders)
    ends = {n for n in without_record if found[n]["Type"] in {"Succeed", "Fail"}}
    assert not ends


def test_recorders_that_fail_still_lead_to_the_notice_and_the_end() -> None:
    main = definition(MACHINES[0])["States"]
    for recorder in ("Record failure", "Record rejection"):
        assert [c["Next"] for c in main[recorder]["Catch"]] == ["Notify failure"]
    assert [c["Next"] for c in main["Notify failure"]["Catch"]] == ["Job failed"]
    chunk = definition(MACHINES[1])["States"]["Record chunk failure"]
    assert [c["Next"] for c in chunk["Catch"]] == [chunk["Next"]]


def test_no_job_fails_without_a_notice() -> None:
    main = definition(MACHINES[0])
    notice = {n for n, s in main["States"].items() if s.get("Resource", "").endswith("sns:publish")}
    silent = reachable(main["States"], main["StartAt"], without=notice)
    assert not [name for name in silent if main["States"][name]["Type"] == "Fail"]


def test_mail_that_cannot_be_sent_does_not_fail_the_job() -> None:
    found = definition(MACHINES[0])["States"]
    (catch,) = found["Email the file"]["Catch"]
    # The failure of the job, which the notice tells, is another one than that of its mail.
    assert catch["ResultPath"] == "$.unsent"
    after = reachable(found, catch["Next"], without={"Does the job fail for its rows?"})
    assert not [name for name in after if found[name]["Type"] == "Fail"]
    unsent = json.dumps(found["Record unsent mail"]["Parameters"])
    assert "$.unsent.Cause" in unsent
    assert "$.failure" not in unsent


def test_job_has_ended_in_the_ledger_and_for_the_queue_before_its_mail() -> None:
    main = definition(MACHINES[0])
    found, start = main["States"], main["StartAt"]
    for before in ({"Record success", "Record rejection"}, {"Announce the merged job"}):
        assert "Email the file" not in reachable(found, start, without=before)
    after = reachable(found, found["Email the file"]["Next"], without=set())
    assert not {name for name in after if records(found[name]) and name != "Record unsent mail"}
    (choice,) = found["Does the job fail for its rows?"]["Choices"]
    assert (choice["Variable"], choice["Next"]) == ("$.merge.verdict", "Notify failure")
    assert found["Does the job fail for its rows?"]["Default"] == "Job succeeded"


def test_failure_to_tell_of_the_end_changes_nothing_about_it() -> None:
    for name, state in definition(MACHINES[0])["States"].items():
        if ":events:" in state.get("Resource", ""):
            (catch,) = state["Catch"]
            assert (catch["ErrorEquals"], catch["Next"]) == (["States.ALL"], state["Next"]), name
            assert catch["ResultPath"] != "$.failure"


def test_mail_is_given_up_within_minutes_and_never_retried_for_long() -> None:
    state = definition(MACHINES[0])["States"]["Email the file"]
    longest_s = 0
    for rule in state["Retry"]:
        pauses = [
            min(rule["MaxDelaySeconds"], rule["IntervalSeconds"] * rule["BackoffRate"] ** tried)
            for tried in range(rule["MaxAttempts"])
        ]
        longest_s += sum(pauses)
    assert longest_s <= 120


def test_late_mail_does_not_change_the_entry_of_a_later_attempt() -> None:
    unsent = definition(MACHINES[0])["States"]["Record unsent mail"]["Parameters"]
    assert unsent["ConditionExpression"] == "#attempt <= :attempt"


# What operations.md tells programs to wait for.
ENDED_TYPE = "Batch Job Ended"


def test_end_of_a_job_is_an_event_that_programs_can_use() -> None:
    found = definition(MACHINES[0])["States"]
    details = {}
    for name in ("Announce the merged job", "Announce the failed job"):
        (entry,) = found[name]["Parameters"]["Entries"]
        assert (entry["Source"], entry["DetailType"]) == (
            workflow.ENDED_SOURCE,
            ENDED_TYPE,
        )
        details[name] = {key.removesuffix(".$"): value for key, value in entry["Detail"].items()}
    merged, failed = details.values()
    # What a rule's pattern picks by is named as in the event of Step Functions.
    common = {"stateMachineArn", "executionArn", "name", "status"}
    common |= {"jobId", "attempt", "bucket", "key", "versionId", "summary"}
    assert merged.keys() == common | {"result"}
    assert failed.keys() == common | {"error", "cause"}
    assert failed["status"] == workflow.FAILED
    # It is the ledger's: of a job that was rejected, FAILED.
    assert merged["status"] == "$.recorded.Attributes.status.S"
    for recorder in ("Record success", "Record rejection"):
        assert found[recorder]["Parameters"]["ReturnValues"] == "UPDATED_NEW"
        assert found[recorder]["ResultPath"] == "$.recorded"


def test_workflow_may_put_its_own_events_on_the_default_bus_only() -> None:
    (bus,) = allowed("MainOrchestratorRole", "events:PutEvents")
    assert bus.endswith(":event-bus/default")
    (statement,) = [
        each
        for each in role_statements("MainOrchestratorRole")
        if "events:PutEvents" in as_list(each["Action"])
    ]
    assert statement["Condition"] == {"StringEquals": {"events:source": workflow.ENDED_SOURCE}}


def test_rule_that_starts_the_next_job_hears_both_events_of_an_end() -> None:
    pattern = resource("EndedJobRule")["Properties"]["EventPattern"]
    assert set(pattern["source"]) == {workflow.ENDED_SOURCE, workflow.EXECUTION_SOURCE}
    assert ENDED_TYPE in pattern["detail-type"]
    assert set(pattern["detail"]["status"]) == workflow.ENDED


def test_success_is_told_by_choice_and_in_one_line() -> None:
    assert TEMPLATE["Parameters"]["NotifySuccess"]["Default"] == "false"
    rule = resource("SucceededJobRule")
    assert rule["Condition"] == "NotifiesSuccess"
    pattern = rule["Properties"]["EventPattern"]
    # One notice a job: the event of Step Functions for the same end is not picked.
    assert pattern["source"] == [workflow.ENDED_SOURCE]
    assert pattern["detail"]["status"] == [workflow.SUCCEEDED]
    (target,) = rule["Properties"]["Targets"]
    assert target["InputPath"] == "$.detail.summary"
    assert target["Arn"] == {"Ref": "SNSTopic"}


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("Notify failure", "Message"),
        ("Announce the merged job", "summary"),
        ("Announce the failed job", "summary"),
    ],
)
def test_key_in_a_notice_is_one_line_whatever_is_in_it(name: str, text: str) -> None:
    state = definition(MACHINES[0])["States"][name]["Parameters"]
    found = state["Entries"][0]["Detail"] if "Entries" in state else state
    assert "States.JsonToString($.key)" in found[f"{text}.$"]
    assert not re.search(r"[ (]\$\.key", found[f"{text}.$"].replace("JsonToString($.key)", ""))


def test_job_fails_for_its_rejects_after_merge_and_archive() -> None:
    found = definition(MACHINES[0])["States"]
    verdict = "Take the verdict on the rows"
    assert found[verdict] == {
        "Type": "Pass",
        "InputPath": "$.merge.verdict",
        "ResultPath": "$.failure",
        "Next": "Record rejection",
    }
    start = definition(MACHINES[0])["StartAt"]
    assert verdict not in reachable(found, start, without={"Merge all Files"})
    (choice,) = found["Are enough rows accepted?"]["Choices"]
    assert (choice["Variable"], choice["Next"]) == ("$.merge.verdict", verdict)


@pytest.mark.parametrize("machine", MACHINES)
def test_cause_is_there_before_it_is_read(machine: str) -> None:
    # A catch may give no cause, and a path that is not there ends a workflow past all catches.
    found = definition(machine)["States"]
    for state in found.values():
        for catch in state.get("Catch", []):
            if catch["ResultPath"] != "$.failure":
                continue
            checks = {n for n in found if "a cause?" in n}
            unchecked = reachable(found, catch["Next"], without=checks)
            assert not [n for n in unchecked if "$.failure.Cause" in json.dumps(found[n])]


def test_chunks_run_in_a_distributed_map_that_tolerates_failures() -> None:
    chunks = definition(MACHINES[0])["States"]["Call Step function for each chunk"]
    assert chunks["ItemProcessor"]["ProcessorConfig"] == {
        "Mode": "DISTRIBUTED",
        "ExecutionType": "STANDARD",
    }
    # A chunk that fails stops no other; the merge says which have no result.
    # Some engines refuse a whole number.
    assert repr(chunks["ToleratedFailurePercentage"]) == "100.0"
    assert chunks["ItemReader"]["Resource"] == "arn:aws:states:::s3:getObject"
    assert chunks["ItemReader"]["ReaderConfig"] == {"InputType": "JSON"}
    assert chunks["MaxConcurrency"] == TEMPLATE["Parameters"]["MaxConcurrency"]["Default"]
    # The rows are not in the state: results go to S3, and the map gives nothing back.
    assert chunks["ResultPath"] is None
    assert "Retry" not in chunks  # it would run every chunk again


def test_groups_of_a_large_merge_are_uploaded_in_a_distributed_map_that_tolerates_none() -> None:
    main = definition(MACHINES[0])["States"]
    groups = main["Upload the groups of a large merge"]
    assert groups["ItemProcessor"]["ProcessorConfig"] == {
        "Mode": "DISTRIBUTED",
        "ExecutionType": "STANDARD",  # an Express one may take five minutes
    }
    assert groups["ItemReader"]["Parameters"] == {
        "Bucket.$": "$.bucket",
        "Key.$": "$.merge.plan.key",
    }
    assert not {"ToleratedFailurePercentage", "ToleratedFailureCount", "Retry"} & groups.keys()
    assert groups["ResultPath"] is None
    assert states(MACHINES[0])["Upload one group"]["OutputPath"] is None
    assert groups["Next"] == "Complete a large merge"


def test_small_merge_is_one_call() -> None:
    main = definition(MACHINES[0])["States"]
    assert main["Merge all Files"]["Next"] == "Is the job whole?"
    way = main["Is the job whole?"]
    large = {c["Variable"]: c["Next"] for c in way["Choices"]}
    assert large["$.merge.plan"] == "Upload the groups of a large merge"
    assert way["Default"] == "Are enough rows accepted?"
    # Its result takes the plan's place, so the way does not go round again.
    assert main["Complete a large merge"]["ResultPath"] == "$.merge"
    assert main["Complete a large merge"]["Next"] == "Is the job whole?"


def lifecycle_rules() -> list[State]:
    """Return the rules of the source bucket, those that are there by choice included."""
    found = resource("SourceBucket")["Properties"]["LifecycleConfiguration"]["Rules"]
    return [rule["Fn::If"][1] if "Fn::If" in rule else rule for rule in found]


@pytest.mark.parametrize(
    ("name", "tag"), [("Completed", aws.COMPLETED), ("Rejected", aws.REJECTED), ("Archive", "")]
)
def test_results_and_archived_inputs_expire_by_choice(name: str, tag: str) -> None:
    days = f"{name}ExpiryDays"
    assert TEMPLATE["Parameters"][days]["Default"] == 0
    assert TEMPLATE["Parameters"][days]["MinValue"] == 0
    condition = {"Fn::Not": [{"Fn::Equals": [{"Ref": days}, 0]}]}
    assert TEMPLATE["Conditions"][f"Expires{name}"] == condition
    found = resource("SourceBucket")["Properties"]["LifecycleConfiguration"]["Rules"]
    (choice,) = [r["Fn::If"] for r in found if r.get("Fn::If", [""])[0] == f"Expires{name}"]
    assert choice[2] == {"Ref": "AWS::NoValue"}
    rule = choice[1]
    assert rule["ExpirationInDays"] == {"Ref": days}
    if tag:
        # Replaced versions go with those of all objects of jobs.
        assert [f"{t['Key']}={t['Value']}" for t in rule["TagFilters"]] == [tag]
        assert rule["Prefix"] == "jobs/"
    else:
        assert text_of(rule["Prefix"]) == "${InputArchiveFolder}/"
        assert rule["NoncurrentVersionExpiration"] == {"NoncurrentDays": {"Ref": days}}


def test_no_two_lifecycle_rules_have_one_name() -> None:
    names = [rule["Id"] for rule in lifecycle_rules()]
    assert len(set(names)) == len(names)


def test_entries_of_the_ledger_expire_by_choice() -> None:
    assert TEMPLATE["Parameters"]["LedgerExpiryDays"]["Default"] == 0
    ttl = {"AttributeName": "ttl", "Enabled": True}
    assert resource("JobTable")["Properties"]["TimeToLiveSpecification"] == ttl
    shared = TEMPLATE["Globals"]["Function"]["Environment"]["Variables"]
    assert shared["LEDGER_EXPIRY_DAYS"] == {"Ref": "LedgerExpiryDays"}


def test_pieces_and_uploads_live_as_long_as_they_may_be_needed() -> None:
    rules = lifecycle_rules()
    by_id = {rule["Id"]: rule for rule in rules}
    # A version that was written over counts its days from then on.
    days = by_id["intermediates"]["ExpirationInDays"]
    assert by_id["replaced"]["NoncurrentVersionExpiration"] == {"NoncurrentDays": days}
    # A large merge has its uploads open for as long as its workflow may run.
    (abort,) = [rule["AbortIncompleteMultipartUpload"] for rule in rules if "Abort" in str(rule)]
    open_for = abort["DaysAfterInitiation"] * 86_400
    assert open_for > definition(MACHINES[0])["TimeoutSeconds"]


@pytest.mark.parametrize(
    ("name", "phase"), [("Survey each range", "survey"), ("Cut each range", "cut")]
)
def test_ranges_are_worked_on_side_by_side_and_each_must_succeed(name: str, phase: str) -> None:
    found = definition(MACHINES[0])["States"][name]
    assert found["ItemProcessor"]["ProcessorConfig"]["Mode"] == "DISTRIBUTED"
    # A range that is not surveyed or cut leaves a hole.
    assert not {key for key in found if key.startswith("Tolerated")}
    assert found["ItemsPath"] == "$.split.ranges"
    assert found["ItemSelector"]["phase"] == phase
    (task,) = found["ItemProcessor"]["States"].values()
    # What the children give back together may have 256 KiB; what they find is in S3.
    assert (task["OutputPath"], found["ResultPath"]) == (None, None)
    assert task["Resource"].endswith(":SplitIpFileFunction")


def test_phases_that_the_workflow_calls_for_are_those_of_the_function(load_app: LoadApp) -> None:
    main = definition(MACHINES[0])["States"].values()
    own = [state for state in main if "SplitIpFileFunction" in json.dumps(state)]
    given = [state.get("ItemSelector") or state.get("Parameters", {}) for state in own]
    phases = [values.get("phase", "begin") for values in given]
    assert sorted(phases) == sorted(load_app("split-ip-file").PHASES)


def chunk_execution_name(job: str, chunk: int, attempt: int) -> str:
    """Return the name that the main workflow gives to the execution of a chunk."""
    name = states(MACHINES[0])["Process chunk"]["Parameters"]["Name.$"]
    call = re.fullmatch(r"States\.Format\('([^']+)', (.+)\)", name)
    assert call is not None
    values: dict[str, Any] = {"$.jobId": job, "$.chunk.number": chunk, "$.attempt": attempt}
    return call[1].format(*(values[path] for path in call[2].split(", ")))


def test_chunk_is_a_named_execution_that_knows_its_parent() -> None:
    process = states(MACHINES[0])["Process chunk"]
    assert process["Resource"] == "arn:aws:states:::states:startExecution.sync:2"
    parameters = process["Parameters"]
    started_by = "AWS_STEP_FUNCTIONS_STARTED_BY_EXECUTION_ID.$"
    assert parameters["Input"][started_by] == "$$.Execution.Id"
    assert chunk_execution_name("job", 7, 2) == "job-7-a2"


def test_name_of_a_chunks_execution_is_as_short_as_step_functions_wants_it() -> None:
    longest = "x" * jobs.SLUG_LENGTH + "-" + "0" * jobs.DIGEST_LENGTH
    # AWS Step Functions, StartExecution: a name has 1 to 80 characters.
    assert len(chunk_execution_name(longest, 999_999, 10_000)) <= 80


def test_child_gives_back_nothing() -> None:
    # AWS Step Functions: what all children of a Map give back together may have 256 KiB.
    process = states(MACHINES[0])["Process chunk"]
    assert process["OutputPath"] is None


def test_resumed_job_skips_the_split_alone() -> None:
    main = definition(MACHINES[0])
    (resumed,) = main["States"][main["StartAt"]]["Choices"]
    assert (resumed["Variable"], resumed["IsPresent"]) == ("$.resume", True)
    after = reachable(main["States"], resumed["Next"], without=set())
    assert "Split Input File into chunks" not in after
    assert {"Call Step function for each chunk", "Merge all Files", "Email the file"} <= after


@pytest.mark.parametrize("machine", MACHINES)
def test_ledger_is_written_by_the_names_that_the_code_reads(machine: str) -> None:
    for name, state in states(machine).items():
        if not state.get("Resource", "").endswith("dynamodb:updateItem"):
            continue
        parameters = state["Parameters"]
        names = parameters["ExpressionAttributeNames"]
        expressions = " ".join(
            text for name, text in parameters.items() if name.endswith("Expression")
        )
        # DynamoDB refuses what is defined and not used, and the other way round.
        assert set(re.findall(r"#\w+", expressions)) == names.keys(), name
        used = set(re.findall(r":\w+", expressions))
        assert used == parameters["ExpressionAttributeValues"].keys(), name
        assert {f"#{attribute}" for attribute in names.values()} == names.keys(), name
        assert parameters["TableName"] == JOB_TABLE
        assert parameters["Key"].keys() == {"jobId", "entry"}
