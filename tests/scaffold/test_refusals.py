"""Files of which nothing can be proposed."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mitools.errors import UsageError
from mitools.scaffold.options import InitOptions
from mitools.scaffold.propose import Proposal, propose
from mitools.scaffold.sample import read_sample
from mitools.sources.options import LoadOptions

Write = Callable[..., str]
NEWS = [
    [str(n % 4 + 1), f"Title {n}", f"Something happened at place {n}, they say."] for n in range(40)
]
MAILS = [[f"Where is my order of number {n}?", ["delivery", "billing"][n % 2]] for n in range(40)]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write_rows(rows: list[list[str]], name: str = "x.csv") -> str:
        with (tmp_path / name).open("w", newline="") as stream:
            csv.writer(stream).writerows(rows)
        return str(tmp_path / name)

    return write_rows


def of(path: str, names: tuple[str, ...] = (), **options: Any) -> Proposal:
    sample = read_sample(path, LoadOptions(column_names=names))
    return propose(sample, InitOptions(folder=Path("x"), column_names=names, **options))


@pytest.mark.parametrize(("rows", "cell"), [(NEWS, "1"), (MAILS, "delivery")])
def test_a_first_line_that_is_a_row_is_refused(
    rows: list[list[str]], cell: str, write: Write
) -> None:
    with pytest.raises(UsageError) as caught:
        of(write(rows))
    assert caught.value.message.endswith(f'the first line looks like a row, as it holds "{cell}"')
    assert caught.value.hint.startswith("name the columns: --columns A,B,…; or, if it is a header,")


def test_named_columns_take_the_first_line_as_a_row(write: Write) -> None:
    found = of(write(NEWS), ("topic", "title", "text"), labels=("World", "Sports", "Trade", "Tech"))
    assert found.fields == {"label": "topic", "input": "Title: {{ title }}\nText: {{ text }}"}
    assert read_sample(write(NEWS), LoadOptions(column_names=("a", "b", "c"))).rows == 40


def test_a_header_that_only_looks_like_a_row_can_be_taken(write: Write) -> None:
    path = write(MAILS)
    found = of(path, fields={"input": MAILS[0][0], "label": "delivery"})
    assert found.labels == ("billing", "delivery")


def test_headers_of_sentences_and_numbers_that_are_not_proposed_are_fine(write: Write) -> None:
    header = ["What can we do better in this shop of ours?", "topic", "0", "1"]
    rows = [[text, label, "0.5", f"{place}.25"] for place, (text, label) in enumerate(MAILS)]
    assert of(write([header, *rows])).fields == {"label": "topic", "input": header[0]}
