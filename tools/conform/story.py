"""What must hold on any engine: the life of a stack, from its deployment to its deletion."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from batchcore import workflow

from batchops.core.loopback import open_local
from batchops.samples.sample import make_sample

if TYPE_CHECKING:
    from batchops.job import Job
    from batchops.stack import Stack

ROWS, CHUNK_ROWS = 60, 20
BAD_ROW = 30
PRIORITY = 4  # the place of Order Priority in a row of the sample
TIMEOUT_S = 900.0
PARAMETERS: Any = {
    "SESSender": "batchops@example.com",
    "SESRecipient": "recipient@example.com",
    "SESIdentityName": "example.com",
    # LocalStack refuses an update of what is left out by its condition and refers to its like.
    "ManageApiGatewayAccount": "true",
}


class DiffersError(Exception):
    """The engine does not do what it has to."""


def expect(what: str, found: object, wanted: object) -> None:
    """Refuse what is not as it has to be.

    Raises
    ------
    DiffersError
        `found` is not `wanted`.
    """
    if found != wanted:
        raise DiffersError(f"{what}: {found!r}, not {wanted!r}")


class Story:
    """A stack's life, a chapter a method, to be told in the order of `chapters`."""

    def __init__(self, stack: Stack, folder: Path) -> None:
        self.stack = stack
        sample = make_sample(ROWS, bad_share=0)
        self.reference = sample.write(folder).reference
        lines = sample.csv.splitlines(keepends=True)
        # One bad row, in the second chunk.
        self.right = lines[BAD_ROW - 1].decode().split(",")[PRIORITY]
        lines[BAD_ROW - 1] = lines[BAD_ROW - 1].replace(f",{self.right},".encode(), b",X,", 1)
        self.data = b"".join(lines)
        self._job: Job | None = None

    @property
    def chapters(self) -> tuple[Callable[[], None], ...]:
        """The chapters, in their order."""
        return (
            self.deploy,
            self.deploy_again,
            self.run_a_job,
            self.fail_a_chunk_and_rerun,
            self.repair,
            self.update,
            self.link,
            self.destroy,
        )

    @property
    def job(self) -> Job:
        """The job that `run_a_job` started."""
        if self._job is None:
            raise DiffersError("there is no job")
        return self._job

    def deploy(self) -> None:
        """Create the stack."""
        self.stack.deploy(reference_data=self.reference, FileChunkSize=CHUNK_ROWS, **PARAMETERS)
        expect("FileChunkSize", self.stack.outputs["FileChunkSize"], str(CHUNK_ROWS))

    def deploy_again(self) -> None:
        """Deploy what is there already."""
        expect("changes", self.stack.deploy().changes, ())

    def run_a_job(self) -> None:
        """Submit a file: S3's event starts its job, and every row ends once."""
        self._job = self.stack.submit(self.data, name="orders.csv")
        self.job.wait(timeout_s=TIMEOUT_S)
        self._check(rejected=1)
        expect("rejected rows", self.job.errors()["source_row"].tolist(), [BAD_ROW])
        expect("mail", self.job.entry()["mailStatus"], workflow.MAIL_SENT)

    def fail_a_chunk_and_rerun(self) -> None:
        """Have the look-up fail for one chunk, then run that chunk alone again."""
        before = self._completed()
        with self._look_up_fails():
            self.job.rerun(chunks=[2], dry_run=False)
            self.job.wait(timeout_s=TIMEOUT_S, check=False)
        status = self.job.status()
        expect("status", (status.status, status.chunks_failed), (workflow.FAILED, 1))
        plan = self.job.rerun(dry_run=False)
        expect("chunks that run again", [chunk.number for chunk in plan.chunks], [2])
        self.job.wait(timeout_s=TIMEOUT_S)
        self._check(rejected=1)
        expect("completed file", self._completed(), before)

    def repair(self) -> None:
        """Put the fixed row in: nothing is rejected any more."""
        fixed = self.job.rejects()
        fixed["Order Priority"] = self.right
        self.job.repair(fixed, dry_run=False)
        self.job.wait(timeout_s=TIMEOUT_S)
        self._check(rejected=0)

    def update(self) -> None:
        """Change a parameter: the stack takes it, and keeps its jobs."""
        self.stack.deploy(FileChunkSize=CHUNK_ROWS + 1)
        expect("FileChunkSize", self.stack.outputs["FileChunkSize"], str(CHUNK_ROWS + 1))
        self._check(rejected=0)

    def link(self) -> None:
        """Open the completed file by its link, without credentials."""
        with open_local(str(self.job.link()), timeout_s=30) as answer:
            expect("what the link opens", answer.read(), self._completed())

    def destroy(self) -> None:
        """Delete the stack with everything in it."""
        self.stack.destroy(dry_run=False)
        found = self.stack.client("s3").list_buckets()["Buckets"]
        left = [each["Name"] for each in found if each["Name"].startswith(self.stack.name)]
        expect("buckets that are left", left, [])
        tables = self.stack.client("dynamodb").list_tables()["TableNames"]
        expect("tables that are left", tables, [])

    # -------------------------------------------------------------------------- helpers

    def _check(self, *, rejected: int) -> None:
        expect("status", self.job.status().status, workflow.SUCCEEDED)
        balance = self.job.balance(deep=True)
        expect("balance", (balance.holds, balance.rows_rejected), (True, rejected))
        expect("rows out", len(self.job.output()), ROWS - rejected)

    def _completed(self) -> bytes:
        entry = self.job.entry()
        found = self.stack.client("s3").get_object(
            Bucket=entry["bucket"], Key=entry["completedKey"]
        )
        body: bytes = found["Body"].read()
        return body

    @contextmanager
    def _look_up_fails(self) -> Iterator[None]:
        """Point the look-up to a stage of the API that is not there."""
        client = self.stack.client("lambda")
        name = f"{self.stack.name}-{workflow.ENRICH.function}"
        variables = client.get_function_configuration(FunctionName=name)["Environment"]["Variables"]

        def set_to(environment: dict[str, str]) -> None:
            client.update_function_configuration(
                FunctionName=name, Environment={"Variables": environment}
            )
            client.get_waiter("function_updated_v2").wait(FunctionName=name)

        set_to({**variables, "API_STAGE": "nowhere"})
        try:
            yield
        finally:
            set_to(variables)
