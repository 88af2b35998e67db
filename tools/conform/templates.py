"""What LocalStack's CloudFormation lacks: the SAM transform in time, and custom resources."""

from __future__ import annotations

import json
import threading
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from localstack.services.cloudformation.engine.v2.change_set_model_transform import (
    ChangeSetModelTransform,
)
from localstack.services.cloudformation.resource_provider import (
    OperationStatus,
    ProgressEvent,
    ResourceProvider,
    ResourceProviderExecutor,
)
from localstack.services.cloudformation.v2.provider import CloudformationProviderV2
from localstack.services.stepfunctions.resource_providers import (
    aws_stepfunctions_statemachine as state_machines,
)

_CUSTOM = "AWS::CloudFormation::CustomResource"


def install() -> None:
    """Have LocalStack transform templates before it checks them, and ask custom resources."""
    set_up = CloudformationProviderV2._setup_change_set_model.__func__

    def set_up_transformed(cls: Any, /, **given: Any) -> Any:
        for name in ("before_template", "after_template"):
            given[name] = _transform(given[name], given["change_set"].stack.region_name)
        return set_up(cls, **given)

    CloudformationProviderV2._setup_change_set_model = classmethod(set_up_transformed)
    substitute = state_machines._apply_substitutions

    def substitute_texts(definition: str, values: dict[str, Any]) -> Any:
        return substitute(definition, {name: str(value) for name, value in values.items()})

    state_machines._apply_substitutions = substitute_texts
    load = ResourceProviderExecutor.try_load_resource_provider

    def try_load(resource_type: str) -> Any:
        is_custom = resource_type.startswith("Custom::") or resource_type == _CUSTOM
        return CustomResource() if is_custom else load(resource_type)

    ResourceProviderExecutor.try_load_resource_provider = staticmethod(try_load)


def _transform(template: Any, region: str) -> Any:
    if not template or "Transform" not in template:
        return template
    found = ChangeSetModelTransform._apply_global_serverless_transformation(region, template, {})
    found.pop("Transform", None)
    return found


class CustomResource(ResourceProvider):  # type: ignore[misc]
    """Asks the function behind a custom resource, and waits for what it sends to the URL."""

    TYPE = _CUSTOM
    SCHEMA: Any = {"primaryIdentifier": ["/properties/Id"]}  # noqa: RUF012

    def create(self, request: Any) -> Any:
        """Have the function create the resource."""
        return self._ask(request, "Create")

    def update(self, request: Any) -> Any:
        """Have the function update the resource."""
        return self._ask(request, "Update", OldResourceProperties=request.previous_state)

    def delete(self, request: Any) -> Any:
        """Have the function delete the resource."""
        return self._ask(request, "Delete")

    def _ask(self, request: Any, kind: str, **more: Any) -> Any:
        properties = dict(request.desired_state)
        with Answer() as answer:
            event = {
                "RequestType": kind,
                "ResponseURL": answer.url,
                "StackId": request.stack_id,
                "RequestId": str(uuid.uuid4()),
                "LogicalResourceId": request.logical_resource_id,
                "ResourceType": _CUSTOM,
                "ResourceProperties": properties,
                **more,
            }
            client = request.aws_client_factory.lambda_
            client.invoke(FunctionName=properties["ServiceToken"], Payload=json.dumps(event))
            found = answer.wait(float(properties.get("ServiceTimeout", 3600)))
        if found.get("Status") != "SUCCESS":
            message = found.get("Reason", "no answer")
            return ProgressEvent(OperationStatus.FAILED, properties, message=message)
        model = {**properties, "Id": found["PhysicalResourceId"], **found.get("Data", {})}
        return ProgressEvent(OperationStatus.SUCCESS, model)


class Answer:
    """A URL on the loopback address, and what is put there."""

    def __enter__(self) -> Answer:
        """Serve the URL."""
        self._there = threading.Event()
        self._body: dict[str, Any] = {}
        owner = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *_: object) -> None:
                """Say nothing."""

            def do_PUT(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                self.send_response(200)
                self.end_headers()
                owner._body = json.loads(body)
                owner._there.set()

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/"
        return self

    def __exit__(self, *_: object) -> None:
        """Serve it no longer."""
        self._server.shutdown()
        self._server.server_close()

    def wait(self, timeout_s: float) -> dict[str, Any]:
        """Return what was put there; empty if nothing was in time."""
        self._there.wait(timeout_s)
        return self._body
