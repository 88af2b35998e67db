"""Run the local engine's gate, its first argument, with no save until the engine is stopped.

It runs in the engine's environment, where neither batchops nor the tests are.
"""

from __future__ import annotations

import importlib.util
import sys
import threading
from typing import Any, cast


def main() -> None:
    """Have the keeper look for something to save only when it is told to stop."""
    spec = cast("Any", importlib.util.spec_from_file_location("gate", sys.argv.pop(1)))
    gate = sys.modules["gate"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(gate)
    import_neighbour = gate._neighbour

    def import_patient(name: str) -> Any:
        module = import_neighbour(name)
        module._LOOK_S = threading.TIMEOUT_MAX
        return module

    gate._neighbour = import_patient
    gate.main()


if __name__ == "__main__":
    main()
