"""What came of a split: figures, and the same as rows for people and as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from mitools.schema import SPLITS
from mitools.split.assign import Fractions, Splitter

if TYPE_CHECKING:
    from mitools.split.contamination import Contamination

__all__ = [
    "Duplicates",
    "Report",
    "SplitSize",
    "Stratum",
    "as_json",
    "leak_table",
    "notes",
    "report_of",
    "shares",
    "size_table",
    "strata_table",
    "warnings",
]

Table = tuple[tuple[str, ...], list[tuple[str, ...]]]
"""Names of the columns, and rows."""

_STRATA_SHOWN = 12
_IDS_SHOWN = 3


@dataclass(frozen=True)
class SplitSize:
    """The size of one split, before a subset is taken of it.

    Attributes:
        wanted: records it should have: those that it had, and its fraction of the others.
        kept: records that were in it already.
        groups: groups and clusters in it; None where they were not counted.
    """

    records: int
    wanted: float
    kept: int
    groups: int | None = None


@dataclass(frozen=True)
class Stratum:
    """How the records with one value of the field are spread, by split.

    Attributes:
        wanted: as many as there should be, groups aside.
    """

    value: str
    records: Mapping[str, int]
    wanted: Mapping[str, int]

    @property
    def total(self) -> int:
        return sum(self.records.values())


@dataclass(frozen=True)
class Duplicates:
    """What ``--dedup`` found.

    Attributes:
        threshold: the least Jaccard index of near-duplicates; None where inputs were to be equal.
        clusters: sets of two or more records whose inputs are the same, or nearly.
        records: how many records are in them.
        largest: how many are in the largest.
        joined: how many groups were joined to another one, which would have been apart.
        largest_unit: records that now stay together with the most others.
    """

    threshold: float | None
    clusters: int
    records: int
    largest: int
    joined: int
    largest_unit: int


@dataclass(frozen=True)
class Report:
    """Figures of one run.

    Attributes:
        left_out: train records that the subset is without.
        is_exact: whether sizes were to be exact.
        strata: by value of the field, the largest first; None without one.
        straddling: units that lay in several splits already, and stay so.
        followers: records that went where others of their unit already were.
    """

    fractions: Fractions
    sizes: Mapping[str, SplitSize]
    left_out: int = 0
    is_exact: bool = False
    stratify: str | None = None
    strata: list[Stratum] | None = None
    straddling: int = 0
    followers: int = 0
    duplicates: Duplicates | None = None
    contamination: Contamination | None = None

    @property
    def total(self) -> int:
        return sum(size.records for size in self.sizes.values())

    @property
    def kept(self) -> int:
        return sum(size.kept for size in self.sizes.values())

    def written(self, split: str) -> int:
        """Count the records of a split that are passed on."""
        return self.sizes[split].records - (self.left_out if split == "train" else 0)


def shares(fractions: Fractions) -> dict[str, float]:
    """Return the fraction of each split."""
    train = 1 - fractions.test - fractions.valid
    return {"train": train, "valid": fractions.valid, "test": fractions.test}


def report_of(splitter: Splitter) -> Report:
    """Say what a split in one pass came to."""
    drawn = splitter.assigned.total()
    sizes = {
        name: SplitSize(
            records=splitter.assigned[name] + splitter.kept[name],
            wanted=splitter.kept[name] + share * drawn,
            kept=splitter.kept[name],
        )
        for name, share in shares(splitter.fractions).items()
    }
    return Report(splitter.fractions, sizes, splitter.left_out)


def size_table(report: Report) -> Table:
    """Lay out records, share and wanted share by split, and what exact sizes could not reach."""
    has_groups = all(size.groups is not None for size in report.sizes.values())
    columns = ["split", "records", "share", "wanted"]
    columns += ["off by"] * report.is_exact + ["groups"] * has_groups + ["had it already"]
    rows = []
    for name, size in report.sizes.items():
        row = [name, f"{size.records:,}", *(_share(n, report) for n in (size.records, size.wanted))]
        row += [_signed(size.records - round(size.wanted))] * report.is_exact
        row += [f"{size.groups or 0:,}"] * has_groups
        rows.append((*row, f"{size.kept:,}"))
    return tuple(columns), rows


def _share(records: float, report: Report) -> str:
    return f"{records / report.total:.1%}"


def _signed(number: int) -> str:
    return f"{number:+,}" if number else "0"


def strata_table(report: Report) -> Table:
    """Lay out records by stratum and split, and by how many they miss what was wanted."""
    strata = report.strata or []
    columns = (report.stratify or "", "records", *SPLITS)
    shown = [(stratum.value, [stratum]) for stratum in strata[:_STRATA_SHOWN]]
    if rest := strata[_STRATA_SHOWN:]:
        shown.append((f"{len(rest):,} more", rest))
    rows = []
    for name, some in shown:
        cells = []
        for split in SPLITS:
            got = sum(stratum.records[split] for stratum in some)
            off = got - sum(stratum.wanted[split] for stratum in some)
            cells.append(f"{got:,} ({_signed(off)})" if off else f"{got:,}")
        rows.append((name, f"{sum(stratum.total for stratum in some):,}", *cells))
    return columns, rows


def leak_table(found: Contamination) -> Table:
    """Lay out how many records of valid and test turn up where, and some of their ids."""
    columns = ("looked for in", "texts", "valid", "test", "most of all")
    rows = []
    for comparison in found.comparisons:
        counts = [
            f"{comparison.count(split):,} of {found.records[split]:,}"
            for split in ("valid", "test")
        ]
        worst = ", ".join(f"{leak.id} {leak.share:.0%}" for leak in comparison.leaks[:_IDS_SHOWN])
        rows.append((comparison.place, f"{comparison.texts:,}", *counts, worst))
    return columns, rows


def notes(report: Report) -> list[str]:
    """Say what is worth knowing, one line each."""
    found = []
    if report.left_out:
        train = report.sizes["train"].records
        share = report.written("train") / train
        found.append(
            f"subset of train: {report.written('train'):,} of {train:,} records ({share:.1%})"
        )
    if report.duplicates is not None:
        some = report.duplicates
        text = f"duplicates: {some.records:,} records in {some.clusters:,} clusters"
        text += f", {some.largest:,} in the largest" if some.clusters else ""
        groups = "1 group" if some.joined == 1 else f"{some.joined:,} groups"
        found.append(text + (f"; {groups} joined others" if some.joined else ""))
    if report.followers:
        who = f"{report.followers:,} {_plural(report.followers)}"
        found.append(f"{who} went where others of the group already were")
    if report.kept and report.kept == report.total:
        found.append('every record kept the split it had; "--reassign" would draw it again')
    return found


def warnings(report: Report) -> list[str]:
    """Say what a user should look at, one line each."""
    found = []
    for name, share in shares(report.fractions).items():
        if name != "train" and share and not report.sizes[name].records:
            found.append(f"no record is in {name}: there are too few")
    if report.left_out and not report.written("train"):
        found.append("no record is in the subset of train: there are too few")
    found += _about_units(report)
    if report.strata is not None:
        found += _about_strata(report, report.strata)
    if report.contamination is not None:
        found += _about_leaks(report.contamination)
    return found


def _about_units(report: Report) -> list[str]:
    found = []
    if report.straddling:
        who = "1 group lies" if report.straddling == 1 else f"{report.straddling:,} groups lie"
        found.append(f'{who} in several splits already; "--reassign" would draw it again')
    off = {name: size.records - round(size.wanted) for name, size in report.sizes.items()}
    if report.is_exact and any(off.values()):
        parts = ", ".join(f"{name} {_signed(number)}" for name, number in off.items() if number)
        found.append(f"groups are not divided, so the sizes are off by some records: {parts}")
    some = report.duplicates
    if some is not None and some.largest_unit > report.total / 10:
        text = f"{some.largest_unit / report.total:.0%} of the records are one group"
        can_help = some.threshold is not None and some.joined
        found.append(text + ("; a higher --threshold divides more" if can_help else ""))
    return found


def _about_strata(report: Report, strata: list[Stratum]) -> list[str]:
    wanted = [name for name, share in shares(report.fractions).items() if share > 0]
    rare = [item for item in strata if not all(item.records[name] for name in wanted)]
    if not rare:
        return []
    least = min(rare, key=lambda item: item.total)
    return [
        f"{len(rare):,} of {len(strata):,} values of {report.stratify} are not in every split; "
        f'the rarest, "{least.value}", has {least.total:,} {_plural(least.total)}'
    ]


def _about_leaks(found: Contamination) -> list[str]:
    said = []
    for comparison in found.comparisons:
        counts = {name: comparison.count(name) for name in ("test", "valid")}
        if comparison.leaks:
            who = " and ".join(f"{count:,} {name}" for name, count in counts.items() if count)
            overlap = "record overlaps" if len(comparison.leaks) == 1 else "records overlap"
            said.append(f"{who} {overlap} with {comparison.place}")
    return said


def _plural(count: int) -> str:
    return "record" if count == 1 else "records"


def as_json(report: Report, clusters: Sequence[Sequence[str]] = ()) -> dict[str, Any]:
    """Render all figures for programs.

    Args:
        clusters: the ids of each cluster of duplicates.
    """
    sizes = {
        name: {**asdict(size), "written": report.written(name)}
        for name, size in report.sizes.items()
    }
    found: dict[str, Any] = {"records": report.total, "exact": report.is_exact, "splits": sizes}
    found |= {"followers": report.followers, "straddling": report.straddling}
    if report.strata is not None:
        found["stratify"] = report.stratify
        found["strata"] = [asdict(stratum) for stratum in report.strata]
    if report.duplicates is not None:
        counts = asdict(report.duplicates)
        found["duplicates"] = {**counts, "ids": [list(ids) for ids in clusters]}
    if report.contamination is not None:
        found["contamination"] = _leaks_as_json(report.contamination)
    return found


def _leaks_as_json(found: Contamination) -> dict[str, Any]:
    places = []
    for comparison in found.comparisons:
        counts = {name: comparison.count(name) for name in ("valid", "test")}
        places.append({"place": comparison.place, "texts": comparison.texts, **counts})
        places[-1]["leaks"] = [asdict(leak) for leak in comparison.leaks]
    return {
        "ngram_words": found.ngram_words,
        "records": dict(found.records),
        "wordings": found.wordings,
        "places": places,
    }
