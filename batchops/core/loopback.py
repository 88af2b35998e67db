"""Open addresses of this computer directly, whatever proxy the environment names.

A proxy elsewhere cannot reach this computer's loopback address, and must not see what is sent to
it: the secret of the local engine, links that open files.
"""

from __future__ import annotations

import urllib.request
from collections.abc import Mapping
from http.client import HTTPResponse
from typing import cast

_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))

# For programs and functions that read proxies from their environment. In both cases, because where
# both are set most programs take the small one.
NO_PROXY: Mapping[str, str] = {"NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}


def open_local(request: urllib.request.Request | str, *, timeout_s: float) -> HTTPResponse:
    """Send a request to an address of this computer, and return the answer, to be closed.

    Raises
    ------
    urllib.error.URLError
        If nothing answers, or the answer is an error.
    """
    return cast("HTTPResponse", _OPENER.open(request, timeout=timeout_s))
