"""The `distml` command: parse, call, print. Everything heavy is imported by the command that needs it."""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from distml.cli import machines, results, sweeps, throughput
from distml.cli.printing import complain
from distml.errors import DistmlError
from distml.training.garbage import expect_imports, keep_imports
from distml.training.processor import openblas_environment

_DEBUG = "--debug"

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def anywhere(
    debug: Annotated[bool, typer.Option(_DEBUG, help="show the traceback of an error; with any command")] = False,
) -> None:
    """Search thousands of model configurations on the machines a team already has."""


for group in (sweeps, results, throughput, machines):  # as --help lists them
    app.add_typer(group.app)


def main() -> None:
    """Run the command line: exit 0 good, 1 nothing came of it, 2 the user's mistake, 130 interrupted."""
    os.environ.update(openblas_environment())
    expect_imports()
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="replace")  # type: ignore[union-attr]  # a '±' must not end a sweep on an ASCII terminal
    sys.path.append(str(Path.cwd()))  # for a user's own `class: my_package.module:MyModule`; hides no installed package
    debug = _DEBUG in sys.argv
    sys.argv[:] = [word for word in sys.argv if word != _DEBUG]  # wherever it stands
    try:
        app(prog_name="distml")
    except Exception as error:
        if debug:
            raise
        if isinstance(error, DistmlError):
            complain(str(error))
            sys.exit(error.status)
        fault = f"{type(error).__name__}: {error}"
        complain(f"a fault in distml itself: {fault}\n  where: the same command with --debug")
        sys.exit(1)
    finally:
        keep_imports()
