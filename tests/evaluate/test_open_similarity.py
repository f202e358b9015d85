"""Opening an encoder that compares rationales."""

from __future__ import annotations

from pathlib import Path

import pytest

from mitools.errors import SourceError
from mitools.evaluate.open_similarity import open_similarity


def test_a_folder_without_an_encoder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="is not a sentence encoder"):
        open_similarity(str(tmp_path))
