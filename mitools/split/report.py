"""The report on a split: its figures, as table rows and messages for people and as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from mitools.errors import EmptyInputError
from mitools.schema import SPLITS
from mitools.split.by_hash import Fractions, HashSplitter

if TYPE_CHECKING:
    from mitools.split.contamination import ContaminationReport

__all__ = [
    "DuplicateCounts",
    "SplitReport",
    "SplitSize",
    "StratumSize",
    "as_json",
    "check_selected",
    "leak_table",
    "notes",
    "report_of",
    "shares",
    "size_table",
    "strata_table",
    "warnings",
]

Table = tuple[tuple[str, ...], list[tuple[str, ...]]]
"""Column names, and rows."""

_STRATA_SHOWN = 12
_IDS_SHOWN = 3


@dataclass(frozen=True)
class SplitSize:
    """The size of one split, before a subset is taken of it.

    Attributes:
        records: number of records.
        wanted: expected number: the records that already had this split, and its share of the
            others.
        kept: records that already had this split.
        groups: units in it; None if they were not counted.
    """

    records: int
    wanted: float
    kept: int
    groups: int | None = None


@dataclass(frozen=True)
class StratumSize:
    """The records with one value of the field to stratify by.

    Attributes:
        records: number of records, by split.
        wanted: expected number, by split, if groups could be divided.
    """

    value: str
    records: Mapping[str, int]
    wanted: Mapping[str, int]

    @property
    def total(self) -> int:
        """Number of records."""
        return sum(self.records.values())


@dataclass(frozen=True)
class DuplicateCounts:
    """The duplicates that ``dedup`` found.

    Attributes:
        threshold: least Jaccard similarity of near-duplicates; None if inputs had to be equal.
        clusters: number of sets of two or more records with duplicate inputs.
        records: number of records in them.
        largest: records in the largest cluster.
        joined: number of groups that duplicates joined to another group.
        largest_unit: records in the largest unit.
    """

    threshold: float | None
    clusters: int
    records: int
    largest: int
    joined: int
    largest_unit: int


@dataclass(frozen=True)
class SplitReport:
    """The figures of one run.

    Attributes:
        fractions: the requested shares.
        sizes: by split.
        left_out: train records outside the subset.
        is_exact: whether exact sizes were requested.
        stratify: the field to stratify by; None without one.
        strata: by value of that field, the largest first; None without one.
        straddling: units that already lay in several splits, and remain there.
        followers: records assigned to the split that others of their unit already had.
        reassign_split: the only split whose records were assigned again; None without one.
        duplicates: what ``dedup`` found; None without it.
        contamination: what ``against`` found; None without it.
    """

    fractions: Fractions
    sizes: Mapping[str, SplitSize]
    left_out: int = 0
    is_exact: bool = False
    stratify: str | None = None
    strata: list[StratumSize] | None = None
    straddling: int = 0
    followers: int = 0
    reassign_split: str | None = None
    duplicates: DuplicateCounts | None = None
    contamination: ContaminationReport | None = None

    @property
    def total(self) -> int:
        """Number of records."""
        return sum(size.records for size in self.sizes.values())

    @property
    def kept(self) -> int:
        """Number of records that kept the split they had."""
        return sum(size.kept for size in self.sizes.values())

    def written(self, split: str) -> int:
        """Return the number of records of a split that are passed on."""
        return self.sizes[split].records - (self.left_out if split == "train" else 0)


def shares(fractions: Fractions) -> dict[str, float]:
    """Return the share of each split."""
    train = 1 - fractions.test - fractions.valid
    return {"train": train, "valid": fractions.valid, "test": fractions.test}


def report_of(splitter: HashSplitter, reassign_split: str | None = None) -> SplitReport:
    """Make the report on a split by hash."""
    drawn = splitter.assigned.total()
    sizes = {
        name: SplitSize(
            records=splitter.assigned[name] + splitter.kept[name],
            wanted=splitter.kept[name] + share * drawn,
            kept=splitter.kept[name],
        )
        for name, share in shares(splitter.fractions).items()
    }
    return SplitReport(splitter.fractions, sizes, splitter.left_out, reassign_split=reassign_split)


def check_selected(report: SplitReport, select: Sequence[str]) -> None:
    """Check that the selected splits have records.

    Raises:
        EmptyInputError: they have none.
    """
    if not any(report.written(name) for name in select):
        sizes = ", ".join(f"{report.written(name):,} {name}" for name in SPLITS)
        hint = f"raise --{select[0]}" if select[0] != "train" else "lower --test or --valid"
        raise EmptyInputError(f"no record is selected ({sizes})", hint=hint)


def size_table(report: SplitReport) -> Table:
    """Return the table of split sizes, with the deviation from exact sizes if requested."""
    has_groups = all(size.groups is not None for size in report.sizes.values())
    columns = ["split", "records", "share", "wanted"]
    columns += ["off by"] * report.is_exact + ["groups"] * has_groups + ["had it before"]
    rows = []
    for name, size in report.sizes.items():
        row = [name, f"{size.records:,}", *(_share(n, report) for n in (size.records, size.wanted))]
        row += [_signed(size.records - round(size.wanted))] * report.is_exact
        row += [f"{size.groups or 0:,}"] * has_groups
        rows.append((*row, f"{size.kept:,}"))
    return tuple(columns), rows


def _share(records: float, report: SplitReport) -> str:
    return f"{records / report.total:.1%}"


def _signed(number: int) -> str:
    return f"{number:+,}" if number else "0"


def strata_table(report: SplitReport) -> Table:
    """Return the table of strata, with the deviations from the expected numbers."""
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


def leak_table(found: ContaminationReport) -> Table:
    """Return the table of overlapping valid and test records by place, with some of their ids."""
    columns = ("place", "texts", "valid", "test", "largest overlaps")
    rows = []
    for comparison in found.comparisons:
        counts = [
            f"{comparison.count(split):,} of {found.records[split]:,}"
            for split in ("valid", "test")
        ]
        worst = ", ".join(f"{leak.id} {leak.share:.0%}" for leak in comparison.leaks[:_IDS_SHOWN])
        rows.append((comparison.place, f"{comparison.texts:,}", *counts, worst))
    return columns, rows


def notes(report: SplitReport) -> list[str]:
    """Return notes for the user, one line each."""
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
        found.append(text + (f"; {groups} joined to others" if some.joined else ""))
    if report.followers:
        who = f"{report.followers:,} {_plural(report.followers)}"
        found.append(f"{who} assigned to the split that others of the group already had")
    if report.kept and report.kept == report.total:
        found.append('all records keep the split they had; to assign them again, add "--reassign"')
    return found


def _why_none(report: SplitReport, name: str) -> str:
    if not report.kept or report.kept < report.total:
        return "too few records"
    why = "all records keep the split they had"
    if report.sizes["train"].records:
        other = "test" if name == "valid" else "valid"
        keep = f" --{other} 0" if report.sizes[other].records else ""
        why += f'; to take it from train, add "--reassign-split train{keep}"'
    return why


def warnings(report: SplitReport) -> list[str]:
    """Return warnings for the user, one line each."""
    found = []
    for name, share in shares(report.fractions).items():
        if name != "train" and share and not report.sizes[name].records:
            found.append(f"no record is in {name}: {_why_none(report, name)}")
    if report.left_out and not report.written("train"):
        found.append("no record is in the subset of train: too few records")
    test = report.sizes["test"]
    if report.reassign_split and test.kept and test.records > test.kept:
        count = test.records - test.kept
        who = f"{count:,} {_plural(count)}"
        if report.fractions.test:
            text = f'test gained {who}; to keep it as it was, add "--test 0"'
        else:
            text = f"test gained {who} by its groups; to keep it as it was, remove them from train"
        found.append(text)
    found += _about_units(report)
    if report.strata is not None:
        found += _about_strata(report, report.strata)
    if report.contamination is not None:
        found += _about_leaks(report.contamination)
    return found


def _about_units(report: SplitReport) -> list[str]:
    found = []
    if report.straddling:
        who = "1 group is" if report.straddling == 1 else f"{report.straddling:,} groups are"
        found.append(f'{who} already in several splits; to assign again, add "--reassign"')
    off = {name: size.records - round(size.wanted) for name, size in report.sizes.items()}
    if report.is_exact and any(off.values()):
        parts = ", ".join(f"{name} {_signed(number)}" for name, number in off.items() if number)
        found.append(f"groups are not divided, so the sizes are not exact: {parts}")
    some = report.duplicates
    if some is not None and some.largest_unit > report.total / 10:
        text = f"{some.largest_unit / report.total:.0%} of the records are in one group"
        can_help = some.threshold is not None and some.joined
        found.append(text + ("; a higher --threshold joins fewer" if can_help else ""))
    return found


def _about_strata(report: SplitReport, strata: list[StratumSize]) -> list[str]:
    wanted = [name for name, share in shares(report.fractions).items() if share > 0]
    rare = [item for item in strata if not all(item.records[name] for name in wanted)]
    if not rare:
        return []
    least = min(rare, key=lambda item: item.total)
    return [
        f"{len(rare):,} of {len(strata):,} values of {report.stratify} are not in every split; "
        f'the rarest, "{least.value}", has {least.total:,} {_plural(least.total)}'
    ]


def _about_leaks(found: ContaminationReport) -> list[str]:
    lines = []
    for comparison in found.comparisons:
        counts = {name: comparison.count(name) for name in ("test", "valid")}
        if comparison.leaks:
            who = " and ".join(f"{count:,} {name}" for name, count in counts.items() if count)
            overlap = "record overlaps" if len(comparison.leaks) == 1 else "records overlap"
            lines.append(f"{who} {overlap} with {comparison.place}")
    return lines


def _plural(count: int) -> str:
    return "record" if count == 1 else "records"


def as_json(report: SplitReport, clusters: Sequence[Sequence[str]] = ()) -> dict[str, Any]:
    """Return all figures as plain values.

    Args:
        report: the figures.
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


def _leaks_as_json(found: ContaminationReport) -> dict[str, Any]:
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
