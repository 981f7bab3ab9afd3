"""What sweeps found, and scorers of it."""

from pathlib import Path
from typing import Annotated

import typer

from distml.cli.options import As, DetailAs, DetailFormat, Format, Name, Runs, Trial
from distml.cli.printing import print_json, show_items

app = typer.Typer()


@app.command()
def leaderboard(name: Name, runs: Runs = Path("runs"), as_: As = Format.table) -> None:
    """List a sweep's trials, best first."""
    from distml.report import leaderboard as board
    from distml.report.loaded import load

    found = load(name, runs)
    if as_ is Format.json:
        print_json([board.row(trial, found.metric) for trial in found.leaderboard])
    elif as_ is Format.csv:
        typer.echo(board.leaderboard_csv(found.leaderboard, found.metric), nl=False)
    else:
        varied = board.varied_parameters(found.leaderboard)
        show_items(board.leaderboard_table(found.leaderboard, found.metric, varied))


@app.command()
def show(
    name: Name,
    trial: Annotated[str | None, typer.Argument(metavar="TRIAL", help="one of its trials, like t0007")] = None,
    runs: Runs = Path("runs"),
    as_: DetailAs = DetailFormat.table,
) -> None:
    """Show a sweep, or one of its trials, in full."""
    from distml.report import detail
    from distml.report.loaded import load

    found = load(name, runs)
    if trial is None and as_ is DetailFormat.json:
        print_json(detail.sweep_json(found))
    elif trial is None:
        show_items(*detail.sweep_lines(found))
    elif as_ is DetailFormat.json:
        print_json(detail.trial_json(found.trial(trial), found.metric))
    else:
        show_items(*detail.trial_lines(found.trial(trial), found.metric, found.record.trials))


@app.command()
def report(
    name: Name,
    output: Annotated[
        Path | None, typer.Option("--output", metavar="FILE", help="by default report.html in the sweep's folder")
    ] = None,
    sensitive: Annotated[
        str | None, typer.Option("--sensitive", metavar="COLUMN", help="tell fairness by the groups of this column")
    ] = None,
    runs: Runs = Path("runs"),
) -> None:
    """Write a sweep's results as one HTML page that needs no network."""
    from distml.report.loaded import load

    found = load(name, runs)
    typer.echo(found.report(sensitive).save(output or found.folder.report))


@app.command()
def rows(
    name: Name,
    trial: Annotated[str | None, typer.Argument(metavar="TRIAL", help="by default the winner")] = None,
    runs: Runs = Path("runs"),
) -> None:
    """Print each row's cluster, or its coordinates in a projection, as CSV."""
    from distml.report.loaded import load

    typer.echo(load(name, runs).rows(trial).to_csv(index_label="row"), nl=False)


@app.command()
def rerun(name: Name, trial: Trial, runs: Runs = Path("runs")) -> None:
    """Train a recorded trial again and compare."""
    from distml.report.loaded import load
    from distml.report.text import score

    found = load(name, runs)
    recorded = found.trial(trial)

    from distml.sweep.rerun import rerun_trial  # torch and scikit-learn stand behind it

    again = rerun_trial(found.folder, recorded.trial)
    same = (
        again.difference < 5e-5
    )  # to the digits that are shown: a network's last bits depend on who trained beside it
    verdict = "the same" if same else f"differs by {again.difference:.2g}"
    typer.echo(f"{trial}   {found.metric} {score(again.score)}, recorded {score(again.recorded)}: {verdict}")
    if not same:
        for change in again.changes:
            typer.echo(f"  since then, {change}")
        raise typer.Exit(1)


@app.command()
def export(
    name: Name,
    output: Annotated[
        Path | None, typer.Option("--output", metavar="DIR", help="the scorer's folder; by default in the run's")
    ] = None,
    trial: Annotated[str | None, typer.Option("--trial", metavar="TRIAL", help="this trial alone")] = None,
    single: Annotated[bool, typer.Option("--single", help="the best trial alone, no ensemble")] = False,
    background: Annotated[bool, typer.Option(help="store 32 made-up rows, against which reasons are told")] = True,
    onnx: Annotated[bool, typer.Option("--onnx", help="write models as ONNX, too, those that convert")] = False,
    runs: Runs = Path("runs"),
) -> None:
    """Make a scorer of a sweep's best trials, to deploy."""
    from distml.sweep.runs import find_run

    folder = find_run(runs, name)

    from distml.report import exported
    from distml.sweep.export import export_scorer  # torch and scikit-learn stand behind it

    made = export_scorer(folder, output, trial, single=single, background=background, onnx=onnx)
    show_items(*exported.lines(made))


@app.command()
def predict(
    scorer: Annotated[Path, typer.Argument(metavar="SCORER", help="a scorer's folder", show_default=False)],
    table: Annotated[
        Path, typer.Argument(metavar="TABLE", help="CSV, TSV, JSONL or Parquet, gzipped or not", show_default=False)
    ],
    reasons: Annotated[int, typer.Option("--reasons", min=0, metavar="N", help="the N strongest of each row")] = 0,
    threshold: Annotated[
        float | None,
        typer.Option("--threshold", min=0, max=1, metavar="X", help="of the probability, instead of the scorer's"),
    ] = None,
    cost_ratio: Annotated[
        float | None,
        typer.Option(
            "--cost-ratio",
            min=0,
            metavar="R",
            help="cost of a missed positive row over that of a refused other one: sets the threshold",
        ),
    ] = None,
    base_score: Annotated[
        float | None, typer.Option("--base-score", metavar="POINTS", help="of a row at the base odds")
    ] = None,
    base_odds: Annotated[
        float | None, typer.Option("--base-odds", metavar="ODDS", help="N to 1 against the positive class")
    ] = None,
    double_odds: Annotated[
        float | None, typer.Option("--double-odds", metavar="POINTS", help="points that double the odds")
    ] = None,
    keep: Annotated[
        list[str], typer.Option("--keep", metavar="COLUMN", help="write this column of the table, too; repeatable")
    ] = [],  # noqa: B006
    trust: Annotated[
        list[str],
        typer.Option("--trust", metavar="MODULE", help="import your own classes in it, if the scorer names them"),
    ] = [],  # noqa: B006
    output: Annotated[Path | None, typer.Option("--output", metavar="FILE", help="instead of standard output")] = None,
) -> None:
    """Score a table: probability, points and decision of each row, as CSV."""
    from distml.scorer.command import Choices, score_table

    choices = Choices(
        reasons=reasons, threshold=threshold, cost_ratio=cost_ratio, base_score=base_score, base_odds=base_odds,
        double_odds=double_odds, keep=tuple(keep), trust=tuple(trust),
    )  # fmt: skip
    for line in score_table(scorer, table, output, choices):
        typer.echo(line, err=True)
