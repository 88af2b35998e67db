"""A local engine for tests that never start it again."""

from __future__ import annotations

import shutil
from pathlib import Path

from batchops.local import gate
from batchops.local.engine import LocalEngine

_PROGRAM = Path(__file__).with_name("unsaved_gate.py")


class UnsavedEngine(LocalEngine):
    """The engine as it is, but that it never saves its state.

    An engine saves whenever a job begins or ends, for up to a third of the time, and the more the
    more jobs it knows. ``tests/unit/test_keeper.py`` and ``tests/unit/test_engine.py`` hold what
    is saved, and when.
    """

    def _command(self, port: int) -> list[str]:
        command = super()._command(port)
        command.insert(command.index(gate.__file__), str(_PROGRAM))
        return command


def discard(engine: LocalEngine) -> None:
    """End an engine at once, whatever it does, and delete all that it holds."""
    engine._stop(timeout_s=0)
    shutil.rmtree(engine.home, ignore_errors=True)
