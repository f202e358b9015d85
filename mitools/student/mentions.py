"""What a text may name next: the token ids of the possible words, and their probabilities."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import takewhile

from mitools.student.codec import Codec, Purpose

__all__ = ["apart", "mention_ids"]

Ids = list[int]


def mention_ids(
    codec: Codec,
    begun: Sequence[str],
    texts: Sequence[Sequence[str]],
    purpose: Purpose = "rationale",
) -> tuple[list[Ids], list[list[Ids]]]:
    """Encode beginnings of targets with the texts that may follow.

    Each text is tokenized with its beginning, as in training, so a token may span both.

    Args:
        codec: of the student.
        begun: N beginnings.
        texts: for each of them, texts that may follow.
        purpose: the task whose targets they are.

    Returns:
        For each beginning the token ids that all its texts share, which are context, and those of
        each text behind them, at least one. They have no end token.
    """
    contexts, targets = [], []
    for start, row in zip(begun, texts, strict=True):
        encoded = codec.encode_targets(purpose, [start + text for text in row])
        whole = [ids if is_cut else ids[:-1] for ids, is_cut in encoded]
        most = min(map(len, whole), default=1) - 1
        shared = takewhile(lambda column: len({*column}) == 1, zip(*whole, strict=False))
        count = max(0, min(most, sum(1 for _ in shared)))
        contexts.append(whole[0][:count] if whole else [])
        targets.append([ids[count:] for ids in whole])
    return contexts, targets


def apart(targets: Sequence[Sequence[int]], log_probs: Sequence[float]) -> list[float]:
    """Take the probability of longer texts off that of the text that they begin with.

    The tokens of "sea" begin "sea lion" as well, so their probability is that of both.

    Args:
        targets: token ids of N texts.
        log_probs: [N] of these tokens, ends not included.

    Returns:
        [N]; -inf where nothing is left.
    """
    found = []
    for own, log_prob in zip(targets, log_probs, strict=True):
        longer = {
            tuple(other): score
            for other, score in zip(targets, log_probs, strict=True)
            if len(other) > len(own) and [*other[: len(own)]] == [*own]
        }
        # Those that begin with another longer one are part of its probability already.
        first = [
            score
            for ids, score in longer.items()
            if not any(len(ids) > len(one) and ids[: len(one)] == one for one in longer)
        ]
        left = 1.0 - math.fsum(math.exp(score - log_prob) for score in first if score > -math.inf)
        found.append(log_prob + math.log(left) if left > 0 else -math.inf)
    return found
