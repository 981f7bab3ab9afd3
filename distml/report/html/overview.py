"""The first section and the last: what the sweep came to, and where it comes from."""

from distml.data.task import WITHOUT_TARGET
from distml.report import text
from distml.report.detail import failure_classes
from distml.report.loaded import LoadedSweep
from distml.report.page import Section, Table, Tiles
from distml.report.screen import states


def overview(sweep: LoadedSweep) -> Section:
    """The best trial, its scores, what was trained and for how long."""
    return Section("overview", "Overview", _lead(sweep), [_tiles(sweep)])


def _lead(sweep: LoadedSweep) -> str:
    if sweep.best is None:
        return "No trial has ended with a score yet."
    if sweep.state == "running":
        return "The sweep is running: this page shows what its journal held when it was written."
    if (sweep.record.spec or {}).get("task") in WITHOUT_TARGET:
        return "Scores of trials are means over resamples of the table."
    if sweep.winner is None:
        return f"The sweep was {sweep.state} before its winner was scored on the held-out rows."
    return "Scores of trials are means over folds; the holdout was kept apart from all of them."


def _tiles(sweep: LoadedSweep) -> Tiles:
    record, best = sweep.record, sweep.winner or sweep.best
    tiles: list[tuple[str, str, str]] = []
    if best is not None:
        tiles.append(("winner" if sweep.winner else "best so far", best.trial, best.family))
        spread = "" if best.score_sd is None else f"± {text.score(best.score_sd)}"
        tiles.append((f"{sweep.metric}, folds", text.score(best.score(sweep.metric)), spread))
    rows = sweep.opening.get("holdout_rows")
    touched = "touched once" if record.touched == 1 else f"touched {record.touched} times"
    for place, (name, score) in enumerate(sweep.holdout.items()):
        note = f"{rows:,} rows, {touched}" if rows is not None and place == 0 else ""
        tiles.append((f"{name}, holdout", text.score(score), note))
    if sweep.metric in record.scorer:
        note = f"holdout, {text.count(len(record.scorer_members), 'trial')}"
        tiles.append((f"{sweep.metric}, scorer", text.score(record.scorer[sweep.metric]), note))
    done, *others = states(record.counts, failure_classes(record.trials.values()))
    some = ", ".join(other for other in others if not other.startswith("0 "))
    tiles.append(("trials", f"{len(record.trials):,}", ", ".join(filter(None, [done, some]))))
    minutes = (record.spec or {}).get("budget", {}).get("minutes")
    tiles.append(("time", text.duration(record.seconds), f"budget {minutes:g} min" if minutes else ""))
    return Tiles(tiles)


def provenance(sweep: LoadedSweep) -> Section:
    """The last section: data, search, seed and versions, enough to run the sweep again."""
    spec, opening = sweep.record.spec or {}, sweep.opening
    data, split, search = (spec.get(key) or {} for key in ("data", "split", "search"))
    folds = split.get("folds")
    facts = [
        ("table", str(data.get("source") or "")),
        ("SHA-256 of the table", str(opening.get("data_sha256") or "")),
        ("target", str(data.get("target") or "")),
        ("positive class", "" if data.get("positive") is None else str(data["positive"])),
        ("validation", f"{folds} folds, holdout {split.get('test', 0):.0%}".replace("%", " %") if folds else ""),
        ("search", ", ".join(filter(None, [search.get("algorithm"), search.get("scheduler")]))),
        ("seed", str(spec.get("seed", ""))),
        ("versions", ", ".join(f"{name} {version}" for name, version in (opening.get("versions") or {}).items())),
        ("git", str(opening.get("git") or "")),
        ("forked from", str(opening.get("parent") or "")),
    ]
    table = Table("Where the figures come from", ["", "value"], [fact for fact in facts if fact[1]])
    return Section("provenance", "Provenance", "", [table])
