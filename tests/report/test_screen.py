"""What is seen while a sweep runs, drawn from made-up progress at fixed widths."""

import io

from rich.console import Console
from rich.text import Text

from distml.report.console import console
from distml.report.screen import LiveScreen, PlainLines, watcher
from distml.sweep.progress import FamilyProgress, Opening, Progress
from distml.sweep.records import TrialRecord

OPENING = Opening(
    name="credit-default",
    rows=30_000,
    columns=24,
    positive_share=0.2212,
    metric="roc_auc",
    folds=5,
    holdout_rows=6_000,
    trials=200,
    minutes=10,
    search="tpe + asha",
    place="local Ray, 2 CPUs, no GPU",
    dashboard="http://127.0.0.1:8265",
)
BEST = TrialRecord("t0131", 131, "hist-gradient-boosting", {}, 1)


class Clock:
    """Time that passes when told to."""

    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


def progress(**changes):
    known = {
        "families": (
            FamilyProgress("scoring-network", "cohorts of 64", 118, 160, 0.7841),
            FamilyProgress("random-forest", "grows 50→400 trees", 11, 20, 0.7823),
            FamilyProgress("hist-gradient-boosting", "grows 50→800 trees", 14, 20),
        ),
        "best": BEST,
        "best_score": 0.78684,
        "best_sd": 0.0041,
        "counts": {"finished": 47, "stopped": 96, "running": 2, "diverged": 1},
        "elapsed_seconds": 161,
        "remaining_seconds": 70,
    }
    return Progress(**(known | changes))


def terminal(width):
    return Console(
        file=io.StringIO(), width=width, force_terminal=True, color_system="standard", highlight=False, markup=False
    )


def drawn(screen, width):
    """The live screen's lines as they stand on a terminal of this width."""
    paper = terminal(width)
    paper.print(screen.render())
    return [line.rstrip() for line in Text.from_ansi(paper.file.getvalue()).plain.splitlines()]


def at_width(width, shown, clock=None):
    screen = LiveScreen(terminal(width), clock or Clock())
    screen.progress(shown)
    return drawn(screen, width)


def test_the_screen_with_room_for_notes():
    assert at_width(108, progress()) == [
        "",
        "scoring-network          cohorts of 64        ━━━━━━━━━━━━━━━━━━━━━━━━━━╸━━━━━━━━━   118 / 160   best 0.7841",
        "random-forest            grows 50→400 trees   ━━━━━━━━━━━━━━━━━━━╸━━━━━━━━━━━━━━━━    11 /  20   best 0.7823",
        "hist-gradient-boosting   grows 50→800 trees   ━━━━━━━━━━━━━━━━━━━━━━━━━╺━━━━━━━━━━    14 /  20",
        "",
        "best so far  t0131  hist-gradient-boosting  0.7868 ± 0.0041",
        "143 done (96 stopped early)   2 running   1 diverged   0 failed   2:41 elapsed, about 1:10 left",
    ]


def test_the_screen_at_80_columns_gives_the_bars_the_notes_room():
    assert at_width(80, progress()) == [
        "",
        "scoring-network          ━━━━━━━━━━━━━━━━━━━━━╺━━━━━━━   118 / 160   best 0.7841",
        "random-forest            ━━━━━━━━━━━━━━━╸━━━━━━━━━━━━━    11 /  20   best 0.7823",
        "hist-gradient-boosting   ━━━━━━━━━━━━━━━━━━━━╺━━━━━━━━    14 /  20",
        "",
        "best so far  t0131  hist-gradient-boosting  0.7868 ± 0.0041",
        "143 done (96 stopped early)   2 running   1 diverged   0 failed",
        "2:41 elapsed, about 1:10 left",
    ]


def test_failures_are_told_by_class_and_a_hold_up_stands_last():
    shown = at_width(
        120, progress(counts={"failed": 3}, failures={"memory": 2, "code": 1}, message="disk full: paused")
    )
    assert "3 failed (2 memory, 1 code)" in shown[-2]
    assert shown[-1] == "disk full: paused"


def test_without_a_budget_in_trials_there_is_a_count_and_no_bar():
    shown = at_width(80, progress(families=(FamilyProgress("bagging", done=7),), best=None, remaining_seconds=None))
    assert shown[1].split() == ["bagging", "7"]
    assert shown[-1].endswith("2:41 elapsed")


def test_the_clock_goes_on_between_two_reports():
    clock = Clock()
    screen = LiveScreen(terminal(120), clock)
    screen.progress(progress())
    clock.now += 100
    assert drawn(screen, 120)[-1].endswith("4:21 elapsed, about 0:00 left")


def test_the_live_screen_leaves_the_head_and_the_families():
    out = terminal(120)
    screen = LiveScreen(out, Clock())
    screen.opened(OPENING)
    screen.progress(progress())
    screen.notice("random-forest stopped: the same failure three times")
    screen.closed()
    text = out.file.getvalue()
    assert "30,000 rows x 24 columns   22.1 % positive   roc_auc, 5 folds   holdout 6,000 rows" in text
    assert "random-forest stopped: the same failure three times" in text
    last_frame = text[text.rindex("\x1b[2K") :]
    assert "scoring-network" in last_frame
    assert "best so far" not in last_frame


def test_closing_before_anything_was_opened_is_quiet():
    out = terminal(80)
    LiveScreen(out, Clock()).closed()
    assert out.file.getvalue() == ""


def test_a_pipe_gets_plain_lines():
    stream = io.StringIO()
    lines = watcher(console(stream))
    assert isinstance(lines, PlainLines)
    lines.opened(Opening(**(vars(OPENING) | {"resumed": 12, "warnings": ("PAY_0 alone predicts the target",)})))
    assert stream.getvalue().splitlines() == [
        "credit-default   30,000 rows x 24 columns   22.1 % positive   roc_auc, 5 folds   holdout 6,000 rows",
        "200 trials, at most 10 min   tpe + asha   local Ray, 2 CPUs, no GPU   dashboard http://127.0.0.1:8265",
        "going on: 12 trials found in the journal",
        "warning: PAY_0 alone predicts the target",
    ]


class TestPlainLines:
    def setup_method(self):
        self.stream, self.clock = io.StringIO(), Clock()
        self.lines = PlainLines(console(self.stream), self.clock)

    def after(self, seconds, **changes):
        """What is printed when progress comes after so many seconds."""
        self.clock.now += seconds
        self.stream.truncate(0)
        self.stream.seek(0)
        self.lines.progress(progress(**changes))
        return self.stream.getvalue().splitlines()

    def test_a_new_best_gets_a_line(self):
        assert self.after(3) == [
            "2:41 elapsed, about 1:10 left   143 done (96 stopped early)   2 running   1 diverged"
            "   best t0131 hist-gradient-boosting 0.7868 ± 0.0041"
        ]
        assert self.after(3) == []

    def test_bests_in_quick_succession_share_a_line(self):
        other = TrialRecord("t0132", 132, "bagging", {}, 1)
        assert len(self.after(3)) == 1
        assert self.after(0.5, best=other) == []
        assert "best t0132 bagging" in self.after(1.6, best=other)[0]

    def test_a_quiet_run_shows_a_sign_of_life(self):
        assert len(self.after(16)) == 1
        assert self.after(14) == []
        assert len(self.after(1.5)) == 1

    def test_a_long_run_shows_it_less_often(self):
        assert len(self.after(16)) == 1
        assert self.after(290, elapsed_seconds=36_000) == []
        assert len(self.after(11, elapsed_seconds=36_000)) == 1
