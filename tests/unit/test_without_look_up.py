"""A schema without x-key and x-enrichment: a stack and jobs that look nothing up."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import support
from batchcore import items, keys
from batchcore.errors import SchemaChangedError, SchemaError
from batchcore.records import RowWriter
from batchcore.reference import FILE_NAME as REFERENCE_FILE
from batchcore.schema import FILE_NAME, RecordSchema
from batchcore.schema_check import check_schema
from pipeline import Apps
from support import ROOT, SOURCE, STACK, Server, chunk_event, context, job_event, stack_ref

from batchops.core.errors import InputError
from batchops.core.job_ref import JobRef
from batchops.core.ledger import JobEntry
from batchops.core.manifest import ManifestChunk, read_manifest
from batchops.core.project import Project
from batchops.deployment.delivery import REFERENCE_LAYER, SCHEMA_LAYER, Order, check_files
from batchops.deployment.packaging import zip_bytes
from batchops.deployment.settings import shipped_settings
from batchops.inspection import frames
from batchops.planning.planner import plan_file
from batchops.planning.what_if import apply_schemas
from batchops.recovery.attempts import Ended
from batchops.recovery.rerun_plan import plan_chunks

if TYPE_CHECKING:
    from support import Account, LoadApp

PLAIN: dict[str, Any] = {
    "required": ["item", "amount"],
    "properties": {"item": {"minLength": 1}, "amount": {"type": "integer"}},
}
SCHEMA = RecordSchema(PLAIN)
DATA = b"item,amount\r\nnut,1\r\nbolt,x\r\nscrew,2"
JOB = "parts-0123456789ab"


@pytest.fixture
def schema_file(tmp_path: Path) -> Path:
    path = tmp_path / "layer" / FILE_NAME
    path.parent.mkdir()
    path.write_text(json.dumps(PLAIN), encoding="utf-8")
    return path


@pytest.fixture
def load_plain(
    load_app: LoadApp, schema_file: Path, monkeypatch: pytest.MonkeyPatch
) -> support.LoadApp:
    """Give a function that imports an app with the plain schema in its layer."""
    layers = support.layers
    monkeypatch.setattr(support, "layers", lambda f: [*layers(f), schema_file.parent])
    return load_app


def run_chunk(apps: Apps, chunk: dict[str, Any]) -> dict[str, Any]:
    """Run a chunk as the chunk workflow does without look-up, and return its state."""
    state = {**chunk_event(JOB), "chunk": chunk}
    del state["enrich"]
    state["read"] = apps.read.lambda_handler(state, context())
    state["validate"] = apps.validate.lambda_handler(state, context())
    assert state["validate"]["withoutLookUp"] is True
    state["enrich"] = {name: state["validate"][name] for name in ("key", "versionId")}
    apps.write.lambda_handler(state, context())
    return state


# --------------------------------------------------------------------------- the schema


def test_schema_without_look_up_is_no_mistake() -> None:
    schema = check_schema(PLAIN)
    assert not schema.looks_up
    assert (schema.key, schema.enrichment) == ("", ())
    assert not schema.is_key("nut")
    assert schema.key_of({"item": "nut"}) == ""
    assert schema.violations({"item": "", "amount": "1"})[0].column == "item"


@pytest.mark.parametrize(
    ("half", "place", "lacking"),
    [
        ({"x-key": "item"}, "/x-key", "x-enrichment"),
        ({"x-enrichment": ["price"]}, "/x-enrichment", "x-key"),
    ],
    ids=["key", "enrichment"],
)
def test_half_a_look_up_is_refused_with_what_is_missing(
    half: dict[str, Any], place: str, lacking: str
) -> None:
    with pytest.raises(SchemaError, match=f"{place}: needs '{lacking}' as well"):
        check_schema({**PLAIN, **half, "properties": {**PLAIN["properties"], "n": {"enu": 1}}})
    with pytest.raises(SchemaError, match=f"needs '{lacking}' as well"):
        RecordSchema({**PLAIN, **half})


# ------------------------------------------------------------------------ the functions


def test_job_gives_the_rows_as_they_came(load_plain: LoadApp, account: Account) -> None:
    apps = Apps.load(load_plain)
    version = account.put("input/parts.csv", DATA)
    event = job_event(JOB, key="input/parts.csv", versionId=version, sizeBytes=len(DATA))
    split = apps.split.lambda_handler(event, context())
    ((chunk,),) = account.lines(split["manifestKey"])
    assert chunk["addedColumns"] == ""
    run_chunk(apps, chunk)
    merged = apps.merge.lambda_handler(event, context())
    assert (merged["rowsIn"], merged["rowsOut"], merged["rowsRejected"]) == (3, 2, 1)
    assert account.get(merged["completedKey"]) == b"item,amount\r\nnut,1\r\nscrew,2\r\n"
    assert account.get(merged["rejectedKey"]).startswith(b"item,amount,source_row,rules,messages")
    assert not account.keys(f"jobs/{JOB}/enriched/")
    (error,) = account.errors().values()
    assert (error["column"], error["rule"], error["uuid"]) == ("amount", "type", "")
    entry = account.entry(JOB, chunk["entry"])
    assert set(entry["stepMs"]) == {"read", "validate", "write"}


def test_row_with_too_few_fields_has_no_key(load_plain: LoadApp, account: Account) -> None:
    apps = Apps.load(load_plain)
    body = b"item,amount\nnut\n"
    key = keys.chunk(JOB, 1)
    version = account.put(key, body)
    run_chunk(apps, {**chunk_event(JOB)["chunk"], "key": key, "versionId": version})
    (error,) = account.errors().values()
    assert (error["rule"], error["uuid"]) == ("fieldCount", "")


def test_header_of_the_output_is_that_of_the_input() -> None:
    assert RowWriter(delimiter=";").header(b"a;b\r\n", ()) == b"a;b\r\n"
    assert RowWriter(delimiter=";").completed(["1;2\r\n", "3;4\n"], None) == b"1;2\r\n3;4\n"


@pytest.mark.parametrize("split_with", [support.SCHEMA.added_columns, "12345678"])
def test_chunk_split_under_a_schema_that_adds_other_columns_fails(
    split_with: str, load_plain: LoadApp, account: Account
) -> None:
    apps = Apps.load(load_plain)
    stored = account.put(keys.chunk(JOB, 1), b"item,amount\nnut,1\n")
    state = chunk_event(JOB)
    state["chunk"] |= {"versionId": stored, "addedColumns": split_with}
    state["read"] = apps.read.lambda_handler(state, context())
    with pytest.raises(SchemaChangedError, match="rerun the job"):
        apps.validate.lambda_handler(state, context())


def test_chunk_split_without_look_up_fails_under_a_schema_with_one(load_app: LoadApp) -> None:
    state = chunk_event(JOB)
    state["chunk"]["addedColumns"] = ""
    with pytest.raises(SchemaChangedError, match="rerun the job"):
        load_app("enrich-data").lambda_handler(state, context())


def test_custom_resource_loads_no_reference_data(
    load_plain: LoadApp, account: Account, schema_file: Path
) -> None:
    (schema_file.parent / REFERENCE_FILE).write_bytes(b"")
    account.put_reference({"left": {"Price": "1"}})
    app = load_plain("custom-resource")
    assert app.load_reference(support.FINANCIAL_TABLE, context()) == 0
    assert account.scan(support.FINANCIAL_TABLE) == []


# ----------------------------------------------------------------------------- the client


def test_plan_counts_nothing_that_is_looked_up() -> None:
    found = plan_file(DATA, schema=SCHEMA, settings=shipped_settings(), known_keys=lambda _: set())
    assert (found.rows, found.rejected, found.keys_checked) == (3, 1, True)
    assert "keys not looked up" not in str(found)
    assert found.cost is not None
    assert "API Gateway" not in {line.service for line in found.cost.lines if line.quantity}
    limits = {limit.name for limit in found.limits}
    assert not {"time of enrich-data", "calls of the API"} & limits


def test_plan_with_look_up_costs_more_and_takes_longer() -> None:
    looking = RecordSchema({**PLAIN, "x-key": "item", "x-enrichment": ["price"]})
    rows = b"item,amount\n" + b"".join(b"n%d,1\n" % n for n in range(2_000))
    plain, full = (
        plan_file(rows, schema=schema, settings=shipped_settings()) for schema in (SCHEMA, looking)
    )
    assert plain.cost is not None
    assert full.cost is not None
    assert plain.cost.total_usd < full.cost.total_usd
    assert plain.duration is not None
    assert full.duration is not None
    assert plain.duration.low_s < full.duration.low_s


def test_what_if_asks_for_no_keys() -> None:
    def never(_: object) -> set[str]:
        raise AssertionError("there are no keys")

    stricter = RecordSchema({**PLAIN, "properties": {"item": {"maxLength": 3}, "amount": {}}})
    found = apply_schemas(
        [(DATA, 2)], name="x", now=SCHEMA, then=stricter, delimiter=",", known_keys=never
    )
    assert (found.newly_rejected, found.newly_accepted, found.rejected_by_both) == (1, 0, 1)


def test_what_if_cannot_tell_what_a_look_up_would_reject() -> None:
    looking = RecordSchema({**PLAIN, "x-key": "item", "x-enrichment": ["price"]})
    for now, then, told in (
        (SCHEMA, looking, "x-key is 'item' instead of missing"),
        (looking, SCHEMA, "x-key is missing instead of 'item'"),
    ):
        with pytest.raises(InputError, match=told):
            apply_schemas([], name="x", now=now, then=then, delimiter=",", known_keys=set)


def test_completed_file_is_read_without_added_columns(tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    path.write_bytes(b"item,item\n1,2\n")
    with path.open("rb") as file:
        frame = frames.completed_frame(file, delimiter=",", added=0, schema=SCHEMA)
    assert list(frame.columns) == ["item", "item.1"]


def test_deployment_takes_no_reference_data(schema_file: Path) -> None:
    found = check_files(Project(ROOT), Order(schema=schema_file), kept={})
    assert (found[REFERENCE_LAYER] / REFERENCE_FILE).read_bytes() == b""
    assert (found[SCHEMA_LAYER] / FILE_NAME).read_bytes() == schema_file.read_bytes()


def test_reference_data_that_nothing_would_read_is_refused(schema_file: Path) -> None:
    given = SOURCE / "reference" / REFERENCE_FILE
    with pytest.raises(InputError, match=r"the schema .* has no look-up"):
        check_files(Project(ROOT), Order(schema=schema_file, reference_data=given), kept={})


def test_reference_data_that_a_stack_keeps_is_left_behind(schema_file: Path) -> None:
    kept = {REFERENCE_LAYER: SOURCE / "reference" / REFERENCE_FILE}
    found = check_files(Project(ROOT), Order(schema=schema_file), kept=kept)
    assert (found[REFERENCE_LAYER] / REFERENCE_FILE).read_bytes() == b""


def test_layer_is_emptied_again_when_the_stack_keeps_its_schema(schema_file: Path) -> None:
    found = check_files(Project(ROOT), Order(), kept={SCHEMA_LAYER: schema_file})
    assert list(found) == [REFERENCE_LAYER]


# -------------------------------------------------- a deployment between two attempts


class Functions:
    """Lambda, whose functions all have the schema layer that a server gives."""

    def __init__(self, server: Server, modified: str) -> None:
        self._url, self._modified = server.url, modified

    def get_function_configuration(self, **_: str) -> dict[str, Any]:
        layer = {"Arn": f"arn:aws:lambda:us-east-1:123456789012:layer:{STACK}-schema:2"}
        return {"CodeSha256": "x", "LastModified": self._modified, "Layers": [layer]}

    def get_layer_version_by_arn(self, **_: str) -> dict[str, Any]:
        return {"Content": {"Location": f"{self._url}/layer.zip"}}


@pytest.fixture
def failed(load_plain: LoadApp, account: Account) -> dict[str, Any]:
    """Give the entry of a job without look-up: chunk 1 succeeded, and chunk 2 never started."""
    apps = Apps.load(load_plain)
    version = account.put("input/parts.csv", DATA)
    parameters = {**support.PARAMETERS, "chunkRows": 2}
    more = {"versionId": version, "sizeBytes": len(DATA), "parameters": parameters}
    split = apps.split.lambda_handler(job_event(JOB, key="input/parts.csv", **more), context())
    ((first, _),) = account.lines(split["manifestKey"])
    run_chunk(apps, first)
    told = {"bucket": support.BUCKET, "key": "input/parts.csv", "startTime": support.START_TIME}
    account.put_entry(JOB, items.JOB_ENTRY, versionId=version, delimiter=",", **told)
    return account.entry(JOB)


@pytest.mark.parametrize(
    ("deployed", "modified", "from_start"),
    [
        (PLAIN, "2026-11-22T00:00:00.000+0000", False),
        ({**PLAIN, "title": "other"}, "2026-11-24T00:00:00.000+0000", False),
        (
            {**PLAIN, "x-key": "item", "x-enrichment": ["price"]},
            "2026-11-24T00:00:00.000+0000",
            True,
        ),
    ],
    ids=["nothing", "another title", "a look-up"],
)
def test_rerun_splits_again_if_the_deployed_schema_adds_other_columns(
    deployed: dict[str, Any],
    modified: str,
    from_start: bool,
    failed: dict[str, Any],
    account: Account,
) -> None:
    body = zip_bytes({FILE_NAME: json.dumps(deployed).encode()})
    with Server(lambda _: (200, body)) as server:
        outputs = {"JobTableName": support.JOB_TABLE, "SchemaDialect": "2"}
        clients = {"s3": account.s3, "dynamodb": account.dynamodb}
        clients["lambda"] = Functions(server, modified)
        job = JobRef(stack_ref(outputs=outputs, local=True, **clients), JOB)
        last = Ended(JobEntry(failed), "FAILED", "ChunksFailedError")
        manifest = read_manifest(job, last.entry)
        assert manifest is not None
        plan = plan_chunks(job, last, manifest, named={})
    assert plan.from_start is from_start
    assert [chunk.number for chunk in plan.chunks] == ([] if from_start else [2])
    assert ("adds 'price', but the job's results have none" in plan.lost) is from_start


def test_list_of_chunks_keeps_what_identifies_the_added_columns() -> None:
    entry = {**chunk_event(JOB)["chunk"], "versionId": "v"}
    assert "addedColumns" not in ManifestChunk.of(entry).item()
    told = {**entry, "addedColumns": ""}
    assert ManifestChunk.of(told).item() == told
