"""Get Financial Data: signed calls to the API, repeated when throttled; unknown keys rejected."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from batchcore import keys
from batchcore.errors import TransientError
from batchcore.reference import calls_in_flight
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support import (
    API_ID,
    REGION,
    SESSION,
    Received,
    Server,
    always,
    chunk_event,
    chunk_rows,
    context,
    dump_rows,
    financials,
    first,
    row,
    values_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from types import ModuleType

    from support import Account, Answer, LoadApp

JOB = "orders-000000000001"
KEYS = [f"{n:09}" for n in range(1, 6)]
REFERENCE = {key: values_of(key) for key in KEYS}


def good(number: int, key: str) -> dict[str, Any]:
    raw = row(key).decode()
    return {"row": number, "raw": raw, "key": key}


def valid_rows(records: Iterable[dict[str, Any]]) -> bytes:
    return dump_rows(records, after="validate")


BAD = {"row": 9, "raw": "x\n", "key": "", "errors": [{"stage": "read", "rule": "fieldCount"}]}


@pytest.fixture
def app(load_app: LoadApp) -> ModuleType:
    return load_app("enrich-data")


@pytest.fixture
def serve(app: ModuleType, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Give a function that starts the API on the loopback address; its clients exist already."""
    servers: list[Server] = []

    def start(answer: Callable[[Received], Answer]) -> Server:
        server = Server(answer).__enter__()
        servers.append(server)
        monkeypatch.setenv("AWS_ENDPOINT_URL", server.url)
        return server

    yield start
    for server in servers:
        server.__exit__()


def test_values_are_added_in_the_order_of_the_schema(
    app: ModuleType, account: Account, serve: Any
) -> None:
    server = serve(financials(REFERENCE))
    account.put(keys.valid(JOB, 1), valid_rows([good(2, KEYS[0]), BAD, good(10, KEYS[1])]))
    result = app.lambda_handler(account.stored(chunk_event(JOB, rows=3)), context())
    assert (result["key"], result["rejected"]) == (keys.enriched(JOB, 1), 0)
    first_row, bad, last_row = account.rows(keys.enriched(JOB, 1))
    assert first_row == {
        "row": 2,
        "raw": row(KEYS[0]).decode(),
        "values": list(values_of(KEYS[0]).values()),
    }
    assert last_row["values"] == list(values_of(KEYS[1]).values())
    assert bad == BAD
    (request,) = server.received
    assert request.path == f"/_aws/execute-api/{API_ID}/v1/financials"
    assert request.headers["Content-Type"] == "application/json"


def test_unknown_key_rejects_its_rows_at_stage_enrich(
    app: ModuleType, account: Account, serve: Any
) -> None:
    serve(financials(REFERENCE))
    unknown = "999999999"
    rows = [good(2, unknown), good(3, KEYS[0]), good(4, unknown)]
    account.put(keys.valid(JOB, 1), valid_rows(rows))
    assert app.lambda_handler(account.stored(chunk_event(JOB, rows=3)), context())["rejected"] == 2
    enriched = account.rows(keys.enriched(JOB, 1))
    assert [r["row"] for r in enriched] == [2, 3, 4]
    assert enriched[0]["key"] == unknown
    assert enriched[0]["errors"] == [
        {
            "stage": "enrich",
            "column": "uuid",
            "rule": "reference",
            "value": unknown,
            "limit": "",
            "message": "uuid is not in the reference data",
        }
    ]
    assert "values" in enriched[1]


def test_chunk_without_good_rows_makes_no_call(
    app: ModuleType, account: Account, serve: Any
) -> None:
    server = serve(financials({}))
    account.put(keys.valid(JOB, 1), valid_rows([BAD]))
    assert app.lambda_handler(account.stored(chunk_event(JOB)), context())["rejected"] == 0
    assert server.received == []


def test_records_are_those_that_validate_data_stored_whatever_is_written_over_them(
    app: ModuleType, account: Account, serve: Any
) -> None:
    serve(financials(REFERENCE))
    account.put(keys.valid(JOB, 1), valid_rows([good(2, KEYS[0])]))
    event = account.stored(chunk_event(JOB))
    account.put(keys.valid(JOB, 1), valid_rows([good(2, "999999999")]))
    assert app.lambda_handler(event, context())["rejected"] == 0


def test_each_key_is_asked_for_once_and_at_most_500_a_call(app: ModuleType, serve: Any) -> None:
    wanted = [f"{n:09}" for n in range(1201)]
    server = serve(financials({key: {"a": key} for key in wanted}))
    assert app.look_up(wanted) == {key: {"a": key} for key in wanted}
    asked = [json.loads(request.body)["uuids"] for request in server.received]
    assert sorted(map(len, asked)) == [201, 500, 500]
    assert sorted(key for call in asked for key in call) == wanted


def test_key_that_no_table_can_hold_is_not_asked_for(app: ModuleType, serve: Any) -> None:
    """DynamoDB refuses a whole call for one such key, and with it 499 good ones."""
    server = serve(financials(REFERENCE))
    odd = ["", "k" * 2_049, "é" * 1_025]
    assert app.look_up([*odd, "k" * 2_048, KEYS[0]]) == {KEYS[0]: REFERENCE[KEYS[0]]}
    assert json.loads(server.received[0].body) == {"uuids": ["k" * 2_048, KEYS[0]]}
    assert app.look_up(odd) == {}
    assert len(server.received) == 1


def test_same_key_in_many_rows_is_asked_for_once(
    app: ModuleType, account: Account, serve: Any
) -> None:
    server = serve(financials(REFERENCE))
    account.put(
        keys.valid(JOB, 1),
        valid_rows(good(n, KEYS[n % 2]) for n in range(2, 50)),
    )
    app.lambda_handler(account.stored(chunk_event(JOB, rows=48)), context())
    assert json.loads(server.received[0].body) == {"uuids": KEYS[:2]}
    assert sum("values" in r for r in account.rows(keys.enriched(JOB, 1))) == 48


# --------------------------------------------------------------------------- signature


def test_call_is_signed_for_what_is_sent(app: ModuleType, serve: Any) -> None:
    server = serve(financials(REFERENCE))
    app.look_up(KEYS)
    (request,) = server.received
    scheme, *parts = request.headers["Authorization"].replace(",", "").split()
    sent = dict(part.split("=", 1) for part in parts)
    timestamp = request.headers["X-Amz-Date"]
    assert scheme == "AWS4-HMAC-SHA256"
    assert sent["Credential"] == f"testing/{timestamp[:8]}/{REGION}/execute-api/aws4_request"
    assert request.headers["X-Amz-Security-Token"] == "testing"

    # Sign again, as API Gateway does, what has arrived: it must come to the same.
    arrived = AWSRequest("POST", server.url + request.path, data=request.body)
    for name in sent["SignedHeaders"].split(";"):
        (value,) = [v for k, v in request.headers.items() if k.lower() == name]
        arrived.headers[name] = value
    arrived.context["timestamp"] = timestamp
    signer = SigV4Auth(SESSION.get_credentials(), "execute-api", REGION)
    text = signer.string_to_sign(arrived, signer.canonical_request(arrived))
    assert sent["Signature"] == signer.signature(text, arrived)
    assert {"host", "x-amz-date", "x-amz-security-token"} <= set(sent["SignedHeaders"].split(";"))


def test_function_without_credentials_makes_no_call(
    app: ModuleType, serve: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A function without a role; nothing else of the environment would do instead.
    monkeypatch.setattr(app.session, "get_credentials", lambda: None)
    server = serve(financials(REFERENCE))
    with pytest.raises(app.LookupRefusedError, match="no credentials"):
        app.look_up(KEYS)
    assert server.received == []


def test_address_on_aws_is_that_of_the_api(
    app: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    assert app.api_url() == f"https://{API_ID}.execute-api.{REGION}.amazonaws.com/v1"
    monkeypatch.setenv("URL_SUFFIX", "amazonaws.com.cn")
    monkeypatch.setenv("AWS_REGION", "cn-north-1")
    assert app.api_url() == f"https://{API_ID}.execute-api.cn-north-1.amazonaws.com.cn/v1"


# ----------------------------------------------------------------------------- retries


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_throttled_call_is_repeated(
    app: ModuleType, serve: Any, naps: list[float], status: int
) -> None:
    server = serve(first([status, status], financials(REFERENCE)))
    assert app.look_up(KEYS) == REFERENCE
    assert len(server.received) == 3
    assert len({request.body for request in server.received}) == 1
    assert sum(naps) > 0


def test_api_that_stays_throttled_asks_the_workflow_for_a_retry(
    app: ModuleType, serve: Any, naps: list[float]
) -> None:
    server = serve(always(429))
    with pytest.raises(TransientError, match="answered 429"):
        app.look_up(KEYS)
    assert len(server.received) == 5


def test_api_that_is_not_there_asks_the_workflow_for_a_retry(
    app: ModuleType, serve: Any, naps: list[float]
) -> None:
    serve(financials(REFERENCE)).__exit__()
    with pytest.raises(TransientError, match="POST /financials"):
        app.look_up(KEYS)


@pytest.mark.parametrize("status", [400, 403, 404])
def test_refused_call_is_not_repeated(app: ModuleType, serve: Any, status: int) -> None:
    server = serve(always(status))
    with pytest.raises(app.LookupRefusedError, match=f"answered {status}$"):
        app.look_up(KEYS)
    assert len(server.received) == 1


def test_one_call_that_fails_fails_the_step(app: ModuleType, serve: Any, account: Account) -> None:
    wanted = [f"{n:09}" for n in range(1000)]

    def answer(request: Received) -> Answer:
        return (403, b"") if wanted[-1].encode() in request.body else financials({})(request)

    serve(answer)
    account.put(
        keys.valid(JOB, 1),
        valid_rows((good(n, k) for n, k in enumerate(wanted, 2))),
    )
    with pytest.raises(app.LookupRefusedError):
        app.lambda_handler(account.stored(chunk_event(JOB, rows=1000)), context())
    assert account.keys("jobs/") == [keys.valid(JOB, 1)]


# ------------------------------------------------------------------------------- pure


def test_column_that_the_reference_data_lacks_is_empty(app: ModuleType) -> None:
    values = values_of(KEYS[0])
    lacking = next(iter(values))
    del values[lacking]
    enriched = app.enrich(chunk_rows([good(2, KEYS[0])]), {KEYS[0]: values})
    assert enriched.values == [["", *values.values()]]
    assert not enriched.rejected


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.sampled_from(KEYS), max_size=8), st.sets(st.sampled_from(KEYS)))
def test_every_row_leaves_either_enriched_or_rejected(
    app: ModuleType, wanted: list[str], known: set[str]
) -> None:
    found = {key: values_of(key) for key in known}
    before = [good(number, key) for number, key in enumerate(wanted, 10)]
    after = app.enrich(chunk_rows([BAD, *before]), found)
    good_keys = [key for key in wanted if key in known]
    bad_rows = [number for number, key in enumerate(wanted, 10) if key not in known]
    assert [record["row"] for record in after.rejected] == [9, *bad_rows]
    assert sorted([*after.rows, *bad_rows]) == list(range(10, 10 + len(wanted)))
    assert after.values == [list(found[key].values()) for key in good_keys]
    assert after.raw == [row(key).decode() for key in good_keys]


@pytest.mark.parametrize(
    ("calls", "at_a_time"), [(0, 1), (1, 1), (3, 1), (4, 2), (5, 2), (9, 3), (10, 4), (40, 4)]
)
def test_few_calls_are_made_in_turn_and_many_at_a_time(calls: int, at_a_time: int) -> None:
    assert calls_in_flight(calls) == at_a_time
