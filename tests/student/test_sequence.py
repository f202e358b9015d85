"""Two targets in one sequence: where each token goes, and how it is found again."""

from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st

from mitools.student.codec import Pairs
from mitools.student.sequence import join_targets

END = 1


def pairs_of(targets: list[list[int]], extra: int = 0) -> Pairs:
    """Pad targets on the right, some columns wider than needed, each behind a prompt."""
    width = max(1, *map(len, targets)) + extra
    ids = torch.tensor([row + [0] * (width - len(row)) for row in targets])
    mask = torch.tensor([[1] * len(row) + [0] * (width - len(row)) for row in targets])
    prompts = torch.arange(len(targets))[:, None] + 50
    return Pairs(prompts, torch.ones_like(prompts), ids, mask)


def test_the_second_target_follows_the_end_of_the_first() -> None:
    joined = join_targets(pairs_of([[5, 6, END], [7, END]]), pairs_of([[8, END], [9, 9, END]]), END)
    assert joined.pairs.target_ids.tolist() == [[5, 6, END, 8, END], [7, END, 9, 9, END]]
    assert joined.pairs.target_mask.all()
    assert joined.pairs.prompt_ids.tolist() == [[50], [51]]


def test_a_first_target_that_was_cut_or_is_missing_gets_an_end_that_belongs_to_no_part() -> None:
    joined = join_targets(pairs_of([[5, 6], []]), pairs_of([[8, END], [9, END]]), END)
    assert joined.pairs.target_ids[0].tolist() == [5, 6, END, 8, END]
    assert joined.pairs.target_ids[1, :3].tolist() == [END, 9, END]
    assert joined.pairs.target_mask.sum(dim=-1).tolist() == [5, 3]
    place = torch.arange(5).repeat(2, 1)
    first, second = joined.split(place)
    assert first.tolist() == [[0, 1], [0, 1]]
    assert second.tolist() == [[3, 4], [1, 2]]


rows = st.lists(st.integers(2, 9), max_size=5)
ends = st.booleans()


@given(st.lists(st.tuples(rows, ends, rows, ends), min_size=1, max_size=4), st.integers(0, 2))
def test_splitting_finds_every_token_again(
    records: list[tuple[list[int], bool, list[int], bool]], extra: int
) -> None:
    first = [[*row, END] if has_end else row for row, has_end, _, _ in records]
    second = [[*row, END] if has_end else row for _, _, row, has_end in records]
    wide = pairs_of(first, extra), pairs_of(second, extra)
    joined = join_targets(*wide, END)
    for part, pairs in zip(joined.split(joined.pairs.target_ids), wide, strict=True):
        assert part.shape == pairs.target_ids.shape
        assert torch.equal(part * pairs.target_mask, pairs.target_ids)
    for index, (one, other) in enumerate(zip(first, second, strict=True)):
        whole = [*one, *([] if one[-1:] == [END] else [END]), *other]
        ids = joined.pairs.target_ids[index][joined.pairs.target_mask[index].bool()]
        assert ids.tolist() == whole
