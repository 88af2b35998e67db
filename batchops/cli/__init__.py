"""The command line: ``batchops VERB``.

Exit codes: 0 done; 1 it failed, and why is on standard error; 2 the command was not understood;
3 the answer is no: the job did not succeed, its balance does not hold, the plan cannot succeed,
something that `doctor` looks at is missing, the schema has mistakes.

With ``--json`` a command writes one JSON document to standard output and nothing else, also where
it fails: ``{"error": {"type": ..., "message": ...}}``.
"""

from batchops.cli import engine, jobs, local, recovery, results, schema, stack
from batchops.cli.base import main

__all__ = ["engine", "jobs", "local", "main", "recovery", "results", "schema", "stack"]
