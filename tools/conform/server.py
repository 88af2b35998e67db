"""LocalStack's core with what it needs here: ``python -m tools.conform.server``.

`tools.conform.engine` runs it with the Python of LocalStack's own environment. DynamoDB, which
would want Java, is moto's; SES, which is no part of the core, takes every mail and sends none.
"""

from __future__ import annotations

import threading
import uuid
from typing import Any

_make_lock = threading.Lock


class _Lock:
    """What `threading.Lock` is from Python 3.13 on, a type: LocalStack has it in annotations."""

    def __new__(cls) -> Any:
        return _make_lock()


def main() -> None:
    """Serve until SIGTERM."""
    threading.Lock = _Lock  # before the first import of LocalStack

    from localstack.aws.handlers import service_plugin
    from localstack.aws.skeleton import Skeleton
    from localstack.aws.spec import load_service
    from localstack.runtime import main as runtime
    from localstack.services.plugins import SERVICE_PLUGINS, Service

    from tools.conform import functions, templates

    service_plugin.is_api_enabled = lambda _name: True  # SES is none of its own
    functions.install()
    templates.install()
    by_moto = dict.fromkeys(load_service("dynamodb").operation_names, _by_moto)
    for name, calls in {"dynamodb": by_moto, "sesv2": {"SendEmail": _send_email}}.items():
        SERVICE_PLUGINS.api_provider_specs[name] = ["default"]
        service = Service(name, skeleton=Skeleton(load_service(name), calls))
        service.is_enabled = lambda: True
        SERVICE_PLUGINS.add_service(service)
    runtime.main()


def _by_moto(context: Any, _request: Any) -> Any:
    from localstack.services.moto import call_moto

    return call_moto(context)


def _send_email(_context: Any, _request: Any) -> Any:
    return {"MessageId": str(uuid.uuid4())}


if __name__ == "__main__":
    main()
