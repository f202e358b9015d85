from __future__ import annotations

import pytest

from mitools.errors import UsageError
from mitools.evaluate.baselines.names import name_baselines


def test_all_is_what_needs_no_model_and_each_is_named_once() -> None:
    assert name_baselines(["tfidf", "all", "untrained", "tfidf"]) == (
        *("tfidf", "majority", "arithmetic", "untrained"),
    )
    assert name_baselines(["encoder:package:x", "encoder:dir"]) == (
        *("encoder:package:x", "encoder:dir"),
    )


@pytest.mark.parametrize("name", ["bert", "encoder:", "encoder", "", "TFIDF"])
def test_an_unknown_baseline_is_refused_with_the_names(name: str) -> None:
    with pytest.raises(UsageError, match=r"no baseline .*use one of majority, tfidf, arithmetic"):
        name_baselines([name])
