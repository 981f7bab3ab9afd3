"""The `distml` command: parse, call, print. Everything heavy is imported by the command that needs it."""

import os
import sys
from pathlib import Path

import typer

from distml.cli import machines, results, sweeps, throughput
from distml.cli.printing import complain
from distml.errors import DistmlError
from distml.training.garbage import expect_imports, keep_imports
from distml.training.processor import openblas_environment

app = typer.Typer(
    help="Search thousands of model configurations on the machines a team already has.",
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for group in (sweeps, results, throughput, machines):  # as --help lists them
    app.add_typer(group.app)


def main() -> None:
    """Run the command line: exit 0 good, 1 nothing came of it, 2 the user's mistake, 130 interrupted."""
    os.environ.update(openblas_environment())
    expect_imports()
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="replace")  # type: ignore[union-attr]  # a '±' must not end a sweep on an ASCII terminal
    sys.path.append(str(Path.cwd()))  # for a user's own `class: my_package.module:MyModule`; hides no installed package
    try:
        app(prog_name="distml")
    except Exception as error:
        if "--debug" in sys.argv:
            raise
        if isinstance(error, DistmlError):
            complain(str(error))
            sys.exit(error.status)
        fault = f"{type(error).__name__}: {error}"
        complain(f"a fault in distml itself: {fault}\n  where: the same command with --debug")
        sys.exit(1)
    finally:
        keep_imports()
