"""What all commands share: the options that name the stack, output for people and for scripts."""

from __future__ import annotations

import ast
import errno
import json
import math
import os
import re
import shlex
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial, wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import click
from batchcore.texts import printable, visible
from click.core import ParameterSource
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from batchops.cli import complete
from batchops.cli.help import write_example, write_verbs
from batchops.cli.options import Options
from batchops.core.errors import BatchOpsError, InputError, JobFailedError
from batchops.core.version import __version__
from batchops.show.shown import plain_values
from batchops.show.wording import in_verbs

if TYPE_CHECKING:
    import pandas as pd


NOT_WELL = 3
# As a shell says it of a program that Ctrl-C ended: 128 and SIGINT's number.
INTERRUPTED = 130

# A call as `why` advises it; file names among the arguments are in quotes.
_NEXT_CALL = re.compile(
    r"""\b(job|stack)\.([a-z]+)\(((?:'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|[^()'"])*)\)"""
)

YES = click.option(
    "--yes", is_flag=True, help="Do it; without this the command only says what it would do."
)
POSITIVE = click.IntRange(min=1)


class Number(click.FloatRange):
    """A number in a range; what is none, such as nan, compares with no bound, so it is refused."""

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Return the number."""
        number: float = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{value} is no number to count with", param, ctx)
        return number


TIMEOUT = click.option(
    "--timeout",
    "timeout_s",
    type=Number(min=0, min_open=True),
    default=3600.0,
    show_default=True,
    help="Seconds.",
)


def time_ago(ctx: click.Context, param: click.Parameter, value: str | None) -> str | None:
    """Refuse an option that is no duration like 2h, before any service is called."""
    from batchops.inspection.logs import parse_since

    try:
        if value is not None:
            parse_since(value)
    except InputError as error:
        said = f"{value!r} is no time ago such as 30s, 10m, 2h or 1d"
        raise click.BadParameter(said, ctx=ctx, param=param) from error
    return value


FORMS = ("csv", "ndjson", "json", "wide")
_WIDEST = 100_000

# Lines are for people and for pipes alike, so only tables are fitted to the width.
screen = Console(soft_wrap=True)


class _Command(click.Command):
    """A verb whose help ends with an example."""

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the example."""
        name = ctx.command_path.removeprefix(ctx.find_root().command_path).strip()
        write_example(name, formatter)


class _Verbs(click.Group):
    """A group of verbs, each with an example."""

    command_class = _Command


class _Group(_Verbs):
    """Lists its verbs by what they are for, and shows errors as a message, not as a traceback."""

    group_class = _Verbs

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the verbs in their groups."""
        write_verbs(ctx, formatter)

    def main(self, *args: Any, **kwargs: Any) -> Any:
        """Run the command line; say where what it printed could not be written."""
        try:
            try:
                return super().main(*args, **kwargs)
            finally:
                if sys.stdout is not None:
                    sys.stdout.flush()
        except OSError as error:
            # Python would try it once more at its end, and show a traceback then.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            if error.errno != errno.EPIPE:  # of a pipe the reader has seen enough
                click.echo(f"error: what was to be printed: {said_by_system(error)}", err=True)
            sys.exit(1)

    def invoke(self, ctx: click.Context) -> Any:
        if sys.stdout is None:  # it was closed, as by >&-
            sys.stdout = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115
        _speak_any_locale()
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            click.echo("interrupted", err=True)
            sys.exit(INTERRUPTED)
        except BrokenPipeError:  # the reader of a pipe has seen enough; click ends quietly
            raise
        except (BatchOpsError, ValueError, OSError) as error:
            if ctx.obj.as_json:
                write_json({"error": {"type": type(error).__name__, "message": str(error)}})
            else:
                click.echo(f"error: {error_text(error)}", err=True)
            sys.exit(NOT_WELL if isinstance(error, JobFailedError) else 1)


def error_text(error: Exception) -> str:
    """Return an error as people read it."""
    if isinstance(error, OSError) and not isinstance(error, BatchOpsError):
        return visible(said_by_system(error))
    return visible(in_verbs(str(error)))


def said_by_system(error: OSError) -> str:
    """Return what the system says of a call that failed, with the file that it is about."""
    said, file = error.strerror or str(error), error.filename2 or error.filename
    return said if file is None else f"{file}: {said}"


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--stack",
    "stack_name",
    default=Options.stack_name,
    envvar="BATCHOPS_STACK",
    show_default=True,
    help="The CloudFormation stack's name.",
)
@click.option(
    "--target",
    type=click.Choice(["local", "aws"]),
    default=Options.target,
    envvar="BATCHOPS_TARGET",
    show_default=True,
    help="The embedded engine, or an AWS account.",
)
@click.option(
    "--env",
    "environment",
    envvar="BATCHOPS_ENV",
    shell_complete=complete.environments,
    help="An environment in batchops.toml, which says all of the other options but --project.",
)
@click.option("--region", help="AWS region; by default the profile's.")
@click.option("--profile", help="Profile of the AWS configuration.")
@click.option(
    "--project",
    type=click.Path(path_type=Path),
    envvar="BATCHOPS_PROJECT",
    help="The folder to deploy from; by default the one around the current folder that "
    "'batchops init' has laid out, or else what came with the package.",
)
@click.version_option(__version__, prog_name="batchops")
@click.pass_context
def main(
    ctx: click.Context,
    stack_name: str,
    target: str,
    region: str | None,
    profile: str | None,
    project: Path | None,
    environment: str | None,
) -> None:
    """Deploy, run, watch and repair a serverless CSV batch stack."""
    if environment is not None:
        names = ("stack_name", "target", "region", "profile")
        typed = [name for name in names if _is_typed(ctx, name)]
        if typed and _is_typed(ctx, "environment"):
            option = f"--{typed[0].removesuffix('_name')}"
            raise click.UsageError(f"--env says what {option} says: give one of them")
        if typed:  # more than a variable of the shell
            environment = None
    ctx.obj = Options(stack_name, target, region, profile, project, environment)
    warnings.showwarning = cast("Any", _note)


def _speak_any_locale() -> None:
    """Have files and pipes be UTF-8, as their readers expect, and a terminal show what it can.

    A locale such as ``C``, or ``PYTHONIOENCODING=ascii``, cannot write every name of a file.
    """
    stream: Any = sys.stdout
    if not hasattr(stream, "reconfigure"):
        return
    if stream.isatty():
        stream.reconfigure(errors="backslashreplace")
    else:
        stream.reconfigure(encoding="utf-8", errors="backslashreplace")


def _is_typed(ctx: click.Context, name: str) -> bool:
    return ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE


def _note(message: Warning | str, *_: Any) -> None:
    """Write a warning as a note, without the place in the code that it comes from."""
    click.echo(f"note: {visible(in_verbs(str(message)))}", err=True)


def with_stack(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the stack that the options name, and the option ``--json``."""

    @click.option("--json", "as_json", is_flag=True, help="One JSON document, for scripts.")
    @click.pass_obj
    @wraps(command)
    def wrapper(options: Options, /, *args: Any, as_json: bool, **kwargs: Any) -> None:
        options.as_json = as_json
        try:
            stack = options.stack()
        except InputError as error:
            if options.environment is not None:  # the fault is that of a file
                raise
            raise click.UsageError(in_verbs(str(error))) from error
        command(stack, *args, **kwargs)

    return wrapper


def job_argument(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the argument JOB."""
    return click.argument("job_id", metavar="JOB", shell_complete=complete.jobs)(command)


def table_format(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command that prints a table the option ``--format``; it goes around `with_stack`."""

    @click.option(
        "--format",
        "form",
        type=click.Choice(FORMS),
        help="csv; ndjson, an object a line; json, as --json; wide, every column, nothing cut.",
    )
    @click.pass_obj
    @wraps(command)
    def wrapper(options: Options, /, *args: Any, form: str | None, **kwargs: Any) -> None:
        if form not in (None, "json") and kwargs["as_json"]:
            raise click.UsageError(f"--json and --format {form} are two forms: give one")
        kwargs["as_json"] = kwargs["as_json"] or form == "json"
        options.form = form
        command(*args, **kwargs)

    return wrapper


@contextmanager
def leaving(says: str, data: Any = None) -> Iterator[None]:
    """On Ctrl-C write what is known as JSON, if it is wanted, and say what goes on.

    Parameters
    ----------
    data
        What is known, or what returns it; without it no document is written.
    """
    try:
        yield
    except KeyboardInterrupt:
        if wants_json() and data is not None:
            write_json(data() if callable(data) else data)
        click.echo(f"\n{says}", err=True)
        sys.exit(INTERRUPTED)


def keep_existing(path: Path, *, force: bool) -> None:
    """Refuse to replace a file that is there, unless that is what ``--force`` asks for.

    Raises
    ------
    InputError
    """
    if path.exists() and not force:
        raise InputError(f"{path} is there already: --force replaces it")


def reading_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options that say how a file is read."""
    options = (
        click.option("--sheet", help="Sheet of a workbook that has several."),
        click.option("--encoding", help="Encoding of text that is not UTF-8, such as cp1252."),
        click.option(
            "--skip-rows",
            type=click.IntRange(min=0),
            default=0,
            show_default=True,
            help="Lines, or rows of a sheet, to leave out at the beginning.",
        ),
    )
    for option in reversed(options):
        command = option(command)
    return command


def wants_json() -> bool:
    """Return whether the running command was asked for JSON."""
    return bool(click.get_current_context().find_object(Options).as_json)  # type: ignore[union-attr]


def as_commands(calls: str, job_id: str) -> str:
    """Return calls of methods of ``job`` and ``stack``, as `why` advises them, as commands."""
    return _NEXT_CALL.sub(partial(_as_command, job_id), calls.removeprefix("bad = "))


def _as_command(job_id: str, found: re.Match[str]) -> str:
    owner, verb, given = found.groups()
    try:
        call = ast.parse(f"f({given})", mode="eval").body
    except (SyntaxError, ValueError):
        call = None
    if not isinstance(call, ast.Call) or verb not in main.commands:
        return found[0]  # part of a column's name
    words = ["batchops", verb]
    words += [job_id] if owner == "job" else []
    words += {"repair": ["FILE.csv"], "rejects": ["-o", "FILE.csv"]}.get(verb, [])
    words += [shlex.quote(str(each.value)) for each in call.args if isinstance(each, ast.Constant)]
    for each in call.keywords:
        value = str(each.value.value) if isinstance(each.value, ast.Constant) else job_id
        if each.arg == "dry_run":
            words.append("--yes")
        elif verb == "deploy":
            words.append(shlex.quote(f"{each.arg}={value}"))
        else:
            words += [f"--{each.arg}", shlex.quote(value)]
    return " ".join(words)


def show(value: Any, *, data: Any = None, advises: bool = False) -> None:
    """Write a value as text, or with ``--json`` as JSON.

    Parameters
    ----------
    value
        What people see: its text, or a DataFrame as CSV.
    data
        What scripts get, if not the value itself.
    advises
        Whether the text says what to do next, and nothing that came with a file.
    """
    if wants_json():
        write_json(value if data is None else data)
    elif hasattr(value, "to_csv"):
        write_table(value)
    else:
        _write(f"{in_verbs(str(value)) if advises else value}\n")


def table_form() -> str | None:
    """Return the form of tables that the running command was asked for, if any."""
    return cast("Options", click.get_current_context().find_object(Options)).form


def write_table(frame: pd.DataFrame, *, header: bool = True) -> None:
    """Write a DataFrame in the form that was asked for; CSV without one.

    Parameters
    ----------
    header
        False for a further part of the same table.
    """
    form = table_form()
    if form == "ndjson":
        for row in plain_values(frame):
            _write(json.dumps(row, ensure_ascii=False) + "\n")
    elif form == "wide":
        table = Table(box=box.SIMPLE, pad_edge=False, show_edge=False, show_header=header)
        for name in frame:
            table.add_column(escape(visible(str(name))), no_wrap=True)
        for row in frame.itertuples(index=False):
            table.add_row(*(escape(printable(_cell(value))) for value in row))
        print_whole(table)
    else:
        write_csv(frame, header=header)


def _cell(value: Any) -> str:
    import pandas as pd

    return "" if pd.api.types.is_scalar(value) and pd.isna(value) else str(value)


def print_whole(table: Table) -> None:
    """Print a table as wide as it is, since its reader may be a program, or scroll."""
    Console(width=_WIDEST).print(table)


def write_csv(
    frame: pd.DataFrame, *, header: bool = True, delimiter: str = ",", line_end: str = "\n"
) -> None:
    """Write a DataFrame as CSV, see `_write`; to a pipe or file without a copy in memory.

    With CRLF as the line end, fields with a lone CR are quoted; with LF they are not.
    """
    form: Any = {"index": False, "header": header, "sep": delimiter, "lineterminator": line_end}
    if sys.stdout.isatty():
        _write(frame.to_csv(**form))
    else:
        frame.to_csv(sys.stdout, **form)


def write_json(value: Any) -> None:
    """Write one JSON document."""
    _write(json.dumps(plain_values(value), indent=2, ensure_ascii=False) + "\n")


def _write(text: str) -> None:
    """Write to standard output: to a terminal what cannot steer it, to a pipe or file as it is."""
    click.echo(visible(text) if sys.stdout.isatty() else text, nl=False, color=True)
