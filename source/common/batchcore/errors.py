"""Errors that end a job, and the one that asks for a retry.

::

    JobEndingError              the job cannot continue, and retrying would not help
    ├── FileError               the uploaded file is not acceptable
    │   ├── NameTooLongError
    │   ├── EmptyFileError
    │   ├── NoRowsError
    │   ├── NotTextError
    │   ├── GzipError
    │   ├── Utf16Error
    │   ├── NoHeaderError
    │   ├── WrongDelimiterError
    │   ├── MissingColumnsError
    │   ├── DuplicateColumnsError
    │   ├── MalformedHeaderError
    │   ├── HeaderTooLargeError
    │   ├── UnterminatedQuoteError
    │   ├── RecordTooLongError
    │   └── TooManyChunksError
    ├── InputGoneError          the uploaded object version no longer exists
    ├── ChunksFailedError       some chunks have no result; rerun the job
    ├── ResultTooLargeError     a merged file would be too large to be joined
    ├── TooManyRejectsError     all rows, or more than the stack allows, were rejected
    └── BalanceError            rows in are not rows out plus rows rejected
    StaleAttemptError           a later attempt of the job has taken over
    TransientError              throttling, a time-out, a lost connection: retry
    SchemaChangedError          a schema that adds other columns was deployed during the job
    RowsFormatError             functions of another version stored a chunk's rows
    SchemaError                 the schema file cannot be used
    ReferenceDataError          the reference data cannot be used

A `JobEndingError` is an outcome, not a crash: the function returns its name and text to the
workflow, which ends the job with them. So a function's error metric counts faults only, and never a
malformed file. A `TransientError` is raised, and the workflows retry errors of that name.
"""


class JobEndingError(Exception):
    """The job cannot continue, and retrying would not help."""


class FileError(JobEndingError):
    """The uploaded file is not acceptable as a whole."""


class NameTooLongError(FileError):
    """The results or the archived input would have a key that is too long for S3."""


class EmptyFileError(FileError):
    """The file is empty or has only blank lines."""


class NoRowsError(FileError):
    """The file has a header and no rows."""


class NotTextError(FileError):
    """The file is not text: a spreadsheet, an archive, an image."""


class GzipError(FileError):
    """The gzip file is damaged, cut off, or unpacks to too much."""


class Utf16Error(FileError):
    """The file is UTF-16 or UTF-32 text; it must be UTF-8."""


class NoHeaderError(FileError):
    """The first row is a record, not a header."""


class WrongDelimiterError(FileError):
    """With no delimiter, or with several, the header has the columns that the schema requires."""


class MissingColumnsError(FileError):
    """The header lacks columns that the schema requires."""


class DuplicateColumnsError(FileError):
    """The header names a column of the schema more than once."""


class MalformedHeaderError(FileError):
    """The header has text after a closing quote, which strict readers do not accept."""


class HeaderTooLargeError(FileError):
    """The header has more columns or bytes than a stack takes."""


class UnterminatedQuoteError(FileError):
    """A quoted field never ends."""


class RecordTooLongError(FileError):
    """A record is longer than a chunk may be, usually because a quote was never closed."""


class TooManyChunksError(FileError):
    """The file has more chunks than one Distributed Map can report on."""


class InputGoneError(JobEndingError):
    """The object version that the job is to process no longer exists."""


class ChunksFailedError(JobEndingError):
    """Some chunks have no result, so the job cannot be merged."""


class ResultTooLargeError(JobEndingError):
    """A merged file would be larger than the merge can join."""


class TooManyRejectsError(JobEndingError):
    """All rows, or more than the stack allows, were rejected.

    The job ends with this error after everything else: its files are merged, the input is archived
    and the mail is sent. So the rejects can be repaired.
    """


class BalanceError(JobEndingError):
    """The rows that came in are not the rows that went out plus those rejected."""


class StaleAttemptError(Exception):
    """A later attempt of the job has replaced the one that this call works for."""


class TransientError(Exception):
    """A fault that may be gone on the next try."""


class VersionMissingError(Exception):
    """An upload has no version: the versioning of its bucket was suspended."""


class SchemaChangedError(Exception):
    """A schema that adds other columns was deployed after the job's file was split."""


class RowsFormatError(Exception):
    """Functions of another version stored a chunk's rows, or another step did."""


class SchemaError(Exception):
    """The record schema cannot be used; the message says why."""


class ReferenceDataError(Exception):
    """The reference data cannot be used; the message says why."""
