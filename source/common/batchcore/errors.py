"""Errors that end a job, and the one that asks for a retry.

::

    JobEndingError              the job cannot go on; retrying changes nothing
    ├── FileError               the upload itself is not acceptable
    │   ├── NameTooLongError
    │   ├── EmptyFileError
    │   ├── NoRowsError
    │   ├── NotTextError
    │   ├── Utf16Error
    │   ├── NoHeaderError
    │   ├── WrongDelimiterError
    │   ├── MissingColumnsError
    │   ├── DuplicateColumnsError
    │   ├── UnterminatedQuoteError
    │   ├── RecordTooLongError
    │   └── TooManyChunksError
    ├── InputGoneError          the object version to be processed no longer exists
    ├── ChunksFailedError       some chunks have no result; rerun the job
    ├── ResultTooLargeError     a merged file would be larger than can be joined
    └── BalanceError            rows in are not rows out plus rows rejected
    StaleAttemptError           a later attempt of the job has taken over
    TransientError              throttling, a time-out, a lost connection: try again
    SchemaError                 the schema file cannot be used
    ReferenceDataError          the reference data cannot be used

A `JobEndingError` is an outcome, not a crash: the entry point returns its name and text to the
workflow, which ends the job with them. So a function's error metric counts faults, never somebody's
malformed file. `TransientError` is raised, and its name is what the workflows retry.
"""


class JobEndingError(Exception):
    """The job cannot go on, and trying again would not help."""


class FileError(JobEndingError):
    """The uploaded file is not acceptable as a whole."""


class NameTooLongError(FileError):
    """The results, or the archived input, would have a key that S3 does not accept."""


class EmptyFileError(FileError):
    """The file holds nothing but, at most, blank lines."""


class NoRowsError(FileError):
    """The file holds a header and nothing else."""


class NotTextError(FileError):
    """The file is not text: a spreadsheet, an archive, an image."""


class Utf16Error(FileError):
    """The file is UTF-16 text; UTF-8 is wanted."""


class NoHeaderError(FileError):
    """The first row is a record, not a header."""


class WrongDelimiterError(FileError):
    """The header is delimited by another character than the stack's."""


class MissingColumnsError(FileError):
    """The header lacks columns that the schema requires."""


class DuplicateColumnsError(FileError):
    """The header names a column of the schema more than once."""


class UnterminatedQuoteError(FileError):
    """A quoted field never ends."""


class RecordTooLongError(FileError):
    """A record is longer than a chunk may be; mostly a quote that was never closed."""


class TooManyChunksError(FileError):
    """The file has more chunks than one Distributed Map can report on."""


class InputGoneError(JobEndingError):
    """The object version that the job is about no longer exists."""


class ChunksFailedError(JobEndingError):
    """Some chunks have no result, so there is nothing whole to merge."""


class ResultTooLargeError(JobEndingError):
    """A merged file would be larger than the merge can join."""


class BalanceError(JobEndingError):
    """The rows that came in are not the rows that went out plus those rejected."""


class StaleAttemptError(Exception):
    """What runs here belongs to an attempt that a later one has replaced."""


class TransientError(Exception):
    """Something that may well work on the next try."""


class SchemaError(Exception):
    """The record schema cannot be used; the message says why."""


class ReferenceDataError(Exception):
    """The reference data cannot be used; the message says why."""
