"""From collected pages to two tables, as they stand and cleaned, and a report of what was done to which cells.

    python experiments/collect/clean.py --pages runs/collect/pages

Written beside this file, and ignored by git: `raw.csv.gz`, `clean.csv.gz`, `cleaning.csv`. Every step is a function of
a table that gives back the table and what it did. What cannot be told becomes a missing cell, never a guess.
"""

import argparse
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path

import pandas as pd
from crawl import Page, stored_pages
from pages import rows

HERE = Path(__file__).parent
KEY, TARGET, DATE = "application", "creditability", "applied_on"
MISSING = frozenset({"", "-", "--", "?", "n/a", "na", "unknown", "not stated"})  # a whole cell, in any case
RANGES = {"credit_amount": (1, 1_000_000), "duration_in_month": (1, 120), "age_in_years": (18, 110)}  # what can be
YEARS = (1990, 2000)  # of the applications

_BLANKS = re.compile(r"\s+")
_AMOUNT = re.compile(r"(?:(?P<before>DM)\s*)?(?P<number>-?[\d.,]+)(?:\s*(?P<after>DM))?")
_DURATION = re.compile(r"(?P<number>-?[\d.,]+)(?:\s*(?P<unit>months?|years?))?")
_AGE = re.compile(r"(?P<number>-?\d+)(?:\s*(?P<unit>years?))?")
_MONTHS = {
    name: number
    for number, name in enumerate(
        ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"), start=1
    )
}


@dataclass(frozen=True)
class Done:
    """One line of the report: how many cells (or rows, of the whole table) of a kind, and what became of them."""

    problem: str
    column: str
    count: int
    done: str
    example: str = ""


Step = tuple[pd.DataFrame, list[Done]]


def table_of(pages: Sequence[Page]) -> Step:
    """All rows of the pages' tables as texts, and the page each stands on."""
    found, ragged = [], 0
    for page in pages:
        lines, odd = rows(page.text)
        found += [{**line, "page": page.url} for line in lines]
        ragged += odd
    done = [Done("row with more or fewer cells than its header", "", ragged, "left out")] if ragged else []
    return pd.DataFrame(found, dtype="object"), done


def clean(raw: pd.DataFrame) -> Step:
    """The cleaned table: one row an application, numbers and dates as such, one spelling a category."""
    frame, report = missing_words(raw.drop(columns="page", errors="ignore"))
    steps: list[Callable[[pd.DataFrame], Step]] = [numbers, dates, impossible, spellings, listed_again, without_target]
    for step in steps:
        frame, done = step(frame)
        report += done
    return frame.reset_index(drop=True), report


def missing_words(frame: pd.DataFrame) -> Step:
    """Blanks around texts go, and the words that say that nothing is known."""
    report, columns = [], {}
    for name in frame:
        texts = frame[name].map(lambda cell: _BLANKS.sub(" ", cell).strip(), na_action="ignore")
        empty = texts.isna() | texts.str.casefold().isin(MISSING)
        columns[name] = texts.mask(empty)
        if empty.any():
            words = ", ".join(f"{word!r} {count}" for word, count in Counter(texts[empty].dropna()).most_common(3))
            report.append(Done("missing", name, int(empty.sum()), "left empty", words))
    return pd.DataFrame(columns), report


def numbers(frame: pd.DataFrame) -> Step:
    """Amounts in DM, durations in months, ages in years, as numbers; units and thousands' signs go."""
    report, frame = [], frame.copy()
    for name, (read, unit) in _READERS.items():
        texts = frame[name]
        values = texts.map(read, na_action="ignore").astype("float64")
        other = values.notna() & (pd.to_numeric(texts, errors="coerce") != values)
        report += _told("unit, currency or thousands' sign", name, texts[other], f"a number of {unit}")
        report += _told("does not read", name, texts[texts.notna() & values.isna()], "left empty")
        frame[name] = values
    return frame, report


def dates(frame: pd.DataFrame) -> Step:
    """Dates as 1994-11-23. Where day and month cannot be told apart the cell is left empty."""
    texts = frame[DATE]
    read = texts.map(read_date, na_action="ignore")
    other = texts[read.notna() & (texts != read)]
    report = _told("date in another format", DATE, other, "written as year-month-day")
    unread = texts[texts.notna() & read.isna()]
    report += _told("no date, or day and month cannot be told", DATE, unread, "left empty")
    return frame.assign(**{DATE: read}), report


def impossible(frame: pd.DataFrame) -> Step:
    """Numbers outside what can be are left empty."""
    report, frame = [], frame.copy()
    for name, (low, high) in RANGES.items():
        wrong = frame[name].notna() & ~frame[name].between(low, high)
        report += _told(f"impossible: not in {low:,} to {high:,}", name, frame.loc[wrong, name], "left empty")
        frame[name] = frame[name].mask(wrong)
    return frame, report


def spellings(frame: pd.DataFrame) -> Step:
    """Texts that differ in capitals, blanks and a last full stop alone get the spelling that is commonest."""
    report, frame = [], frame.copy()
    for name in frame.columns.difference([KEY, DATE, *_READERS], sort=False):
        best: dict[str, str] = {}
        for text in frame[name].value_counts().index:  # the commonest first
            best.setdefault(_spoken(text), text)
        spelt = frame[name].map(lambda text, best=best: best[_spoken(text)], na_action="ignore")
        changed = frame[name].notna() & (spelt != frame[name])
        report += _told("another spelling", name, frame.loc[changed, name], "the commonest spelling")
        frame[name] = spelt
    return frame, report


def listed_again(frame: pd.DataFrame) -> Step:
    """One row an application: each cell as the first of its listings that holds anything has it."""
    nameless = frame[KEY].isna()
    report = _told("no number of the application", "", frame.loc[nameless, KEY], "row left out")
    frame = frame[~nameless]
    first = frame.groupby(KEY, sort=False).first()
    again = frame.duplicated(KEY)
    report += _told("application listed again", "", frame.loc[again, KEY], "its listings are made one")
    for name in first.columns:
        differs = frame[name].notna() & (frame[name] != frame[KEY].map(first[name]))
        what = "listings that contradict each other"
        report += _told(what, name, frame.loc[differs, KEY], "the first listing's cell stands")
    filled = int((frame.loc[~again].set_index(KEY).isna() & first.notna()).to_numpy().sum())
    if filled:
        report.append(Done("missing in one listing", "", filled, "filled from the other"))
    return first.reset_index(), report


def without_target(frame: pd.DataFrame) -> Step:
    """Rows of which nobody knows how they ended are left out."""
    unknown = frame[TARGET].isna()
    return frame[~unknown], _told("no target", TARGET, frame.loc[unknown, KEY], "row left out")


def read_number(text: str) -> float | None:
    """A number with points or commas, of which the last parts off fractions unless three digits follow it.

    >>> [read_number(text) for text in ("1169", "1,169", "1.169,00", "12.345.678", "0.5", "1,2,3")]
    [1169.0, 1169.0, 1169.0, 12345678.0, 0.5, None]
    """
    sign, digits = (-1.0, text[1:]) if text.startswith("-") else (1.0, text)
    whole, point, fraction = digits, "", ""
    last = max(digits.rfind("."), digits.rfind(","))
    if last >= 0 and not re.fullmatch(r"\d{3}", digits[last + 1 :]):
        whole, point, fraction = digits[:last], ".", digits[last + 1 :]
    if not re.fullmatch(r"\d+|\d{1,3}(?:\.\d{3})+|\d{1,3}(?:,\d{3})+", whole) or not re.fullmatch(r"\d*", fraction):
        return None
    return sign * float(re.sub(r"[.,]", "", whole) + point + fraction)


def read_amount(text: str) -> float | None:
    """
    >>> read_amount("DM 1,169"), read_amount("1.169,00 DM"), read_amount("DM 5 DM"), read_amount("a lot")
    (1169.0, 1169.0, None, None)
    """
    found = _AMOUNT.fullmatch(text)
    if found is None or (found["before"] and found["after"]):
        return None
    return read_number(found["number"])


def read_months(text: str) -> float | None:
    """
    >>> read_months("18"), read_months("6 months"), read_months("1.5 years")
    (18.0, 6.0, 18.0)
    """
    found = _DURATION.fullmatch(text)
    number = read_number(found["number"]) if found else None
    if found is None or number is None:
        return None
    return number * 12 if (found["unit"] or "").startswith("year") else number


def read_years(text: str) -> float | None:
    """
    >>> read_years("67 years"), read_years("old")
    (67.0, None)
    """
    found = _AGE.fullmatch(text)
    return float(found["number"]) if found else None


def read_date(text: str) -> str | None:
    """
    >>> [read_date(text) for text in ("1994-11-23", "23.11.1994", "23 Nov 1994", "11/23/1994", "23/11/1994")]
    ['1994-11-23', '1994-11-23', '1994-11-23', '1994-11-23', '1994-11-23']
    >>> [read_date(text) for text in ("05/06/1994", "05/05/1994", "31.2.1994", "1.1.1894", "soon")]
    [None, '1994-05-05', None, None, None]
    """
    parts = re.split(r"[-./ ]", text)
    if len(parts) != 3:
        return None
    day, month, year = parts
    if "-" in text:
        year, month, day = parts
    elif "/" in text and day != month:  # of two numbers, one above 12 is the day
        try:
            day, month = (month, day) if int(month) > 12 else (day, month)
            if int(day) <= 12:
                return None
        except ValueError:
            return None
    try:
        found = date(int(year), _MONTHS.get(month.casefold()[:3]) or int(month), int(day))
    except ValueError:
        return None
    return found.isoformat() if YEARS[0] <= found.year <= YEARS[1] else None


def _spoken(text: str) -> str:
    return text.casefold().removesuffix(".").strip()


def _told(problem: str, column: str, cells: pd.Series, done: str) -> list[Done]:
    """A line of the report, where there are such cells, with two of them."""
    example = ", ".join(f"{cell:g}" if isinstance(cell, float) else repr(cell) for cell in cells.unique()[:2])
    return [Done(problem, column, len(cells), done, example)] if len(cells) else []


_READERS: dict[str, tuple[Callable[[str], float | None], str]] = {
    "credit_amount": (read_amount, "DM"),
    "duration_in_month": (read_months, "months"),
    "age_in_years": (read_years, "years"),
}


def as_table(report: Sequence[Done]) -> pd.DataFrame:
    """The report's lines, those of one problem together."""
    return pd.DataFrame([asdict(done) for done in report], columns=list(Done.__dataclass_fields__))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pages", type=Path, default=Path("runs/collect/pages"))
    parser.add_argument("--output", type=Path, default=HERE)
    args = parser.parse_args()
    write(args.pages, args.output)


def write(pages: Path, output: Path) -> None:
    """Read, clean, write the three files, and say what was done.

    Raises:
        SystemExit: there is no table in the pages.
    """
    found = stored_pages(pages)
    raw, ragged = table_of(found)
    if raw.empty:
        raise SystemExit(f"{pages}: no table in {len(found)} pages; collect some with crawl.py")
    cleaned, report = clean(raw)
    report = [*ragged, *report]
    output.mkdir(parents=True, exist_ok=True)
    raw.to_csv(output / "raw.csv.gz", index=False)
    cleaned.to_csv(output / "clean.csv.gz", index=False)
    as_table(report).to_csv(output / "cleaning.csv", index=False)
    print(as_table(report).to_string(index=False, max_colwidth=44))
    print(f"\n{len(found)} pages, {len(raw):,} rows as they stand, {len(cleaned):,} cleaned: {output}")


if __name__ == "__main__":
    main()
