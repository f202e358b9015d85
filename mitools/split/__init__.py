"""Which split a record belongs to.

:mod:`assign` decides by a hash of each record alone, in one pass and no memory. What has to see
all records first reads them from a :mod:`spool`: sizes to the record (:mod:`exact`), duplicates
that must stay together (:mod:`units`, :mod:`near`), and texts that should not be in two places
(:mod:`overlap`, :mod:`contamination`). :mod:`run` strings these together, :mod:`report` says what
came of it.
"""

from mitools.split.assign import Fractions, Splitter, normalized_input, position, split_key

__all__ = ["Fractions", "Splitter", "normalized_input", "position", "split_key"]
