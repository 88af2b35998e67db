"""Run the local engine's gate, its first argument, with a keeper that saves nothing.

It runs in the engine's environment, where neither batchops nor the tests are.
"""

from __future__ import annotations

import importlib.util
import sys
from typing import Any, cast


def main() -> None:
    """Have the keeper never look for something to save, nor save what there is in the end."""
    spec = cast("Any", importlib.util.spec_from_file_location("gate", sys.argv.pop(1)))
    gate = sys.modules["gate"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(gate)
    import_neighbour = gate._neighbour

    def import_idle(name: str) -> Any:
        module = import_neighbour(name)
        if name == "keeper":
            module.Keeper.save_last = module.Keeper._run = lambda *_: None
        return module

    gate._neighbour = import_idle
    gate.main()


if __name__ == "__main__":
    main()
