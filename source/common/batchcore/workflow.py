"""The steps of a job and the statuses that jobs, chunks and mails can have.

The workflows in ``source/statemachine`` and the functions in ``source`` use these names, and the
client reads them back from the ledger. Tests hold this module to the workflows and the template.
"""

from dataclasses import dataclass

# --------------------------------------------------------------------------------- steps


@dataclass(frozen=True, slots=True)
class WorkflowStep:
    """A state of a workflow that calls a function.

    Attributes
    ----------
    name : str
        What the step is called where a short name is needed: the place of its result in the
        workflow's state, the key of its milliseconds in the ledger (``stepMs``) and, for a step
        that can reject rows, the stage of their errors.
    state : str
        The state's name in the workflow; the ledger's ``failedStep`` for a chunk that failed here.
    function : str
        The function's folder in ``source``. Its deployed name is ``<stack>-<function>``.
    """

    name: str
    state: str
    function: str


SPLIT = WorkflowStep("split", "Split Input File into chunks", "split-ip-file")
MERGE = WorkflowStep("merge", "Merge all Files", "merge-s3-files")
EMAIL = WorkflowStep("email", "Email the file", "send-email")

# The main workflow runs these once for a job, and the chunk workflow between split and merge.
JOB_STEPS = (SPLIT, MERGE, EMAIL)

READ = WorkflowStep("read", "Read File", "read-file")
VALIDATE = WorkflowStep("validate", "Validate Data", "validate-data")
ENRICH = WorkflowStep("enrich", "Get Financial Data", "enrich-data")
WRITE = WorkflowStep("write", "Write output file", "write-output-chunk")

# The chunk workflow runs these for each chunk, in this order.
CHUNK_STEPS = (READ, VALIDATE, ENRICH, WRITE)

# The steps that can reject a row.
REJECTING_STEPS = (READ, VALIDATE, ENRICH)

# The label of the main workflow's Distributed Map, which starts the chunk workflow for each chunk.
CHUNKS_LABEL = "Chunks"

# ----------------------------------------------------------------------------- functions

# S3 calls the first for each upload; API Gateway calls the second for each look-up.
NOTIFICATION = "s3-lambda-notification"
GET_DATA = "get-data"

# The functions that work on chunks.
CHUNK_FUNCTIONS = (READ.function, VALIDATE.function, ENRICH.function, GET_DATA, WRITE.function)

# The functions that a job's result depends on, in the order in which they work.
JOB_FUNCTIONS = (SPLIT.function, *CHUNK_FUNCTIONS, MERGE.function, EMAIL.function)

# ------------------------------------------------------------------------------ statuses

# A job that waits for others to end, see `batchcore.queueing`.
QUEUED = "QUEUED"
# A job whose file is not split yet.
SUBMITTED = "SUBMITTED"
# A chunk that an attempt has to run and has not started.
PENDING = "PENDING"
RUNNING = "RUNNING"
SUCCEEDED = "SUCCEEDED"
FAILED = "FAILED"
# Somebody stopped the job, or the chunk with its job.
ABORTED = "ABORTED"
# The workflow timed out. It cannot enter that itself: whoever looks at the job first does.
TIMED_OUT = "TIMED_OUT"

# The statuses that a job can have in the ledger.
JOB_STATUSES = (QUEUED, SUBMITTED, RUNNING, SUCCEEDED, FAILED, ABORTED, TIMED_OUT)

# The statuses of a job that is not finished, and of one that is.
UNFINISHED = frozenset({QUEUED, SUBMITTED, RUNNING})
ENDED = frozenset({SUCCEEDED, FAILED, ABORTED, TIMED_OUT})

# The statuses of an execution that has not ended.
UNDER_WAY = frozenset({"RUNNING", "PENDING_REDRIVE"})

# The job has ended, and its mail was not tried yet, or is being tried.
MAIL_PENDING = "PENDING"
MAIL_SENT = "SENT"
MAIL_FAILED = "FAILED"

# ------------------------------------------------------------------- the event of a job's end

# What the main workflow tells EventBridge once a job's end stands in the ledger. Step Functions has
# an event of its own for every execution that ends, those that were stopped included.
ENDED_SOURCE = "batchops"
EXECUTION_SOURCE = "aws.states"
