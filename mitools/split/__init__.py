"""The split stage: each record is assigned to train, valid or test.

- ``run``: the entry point, :func:`~mitools.split.run.split_records`;
- ``options``: :class:`~mitools.split.options.SplitOptions`, their defaults and checks;
- ``by_hash``: splits by a hash of each record alone, in one pass and constant memory;
- ``divide``: splits that depend on the whole run, in two passes;
- ``units``: sets of records that must stay in one split: groups, and clusters of duplicates;
- ``assign_units``: assignment of splits to units; ``exact_sizes``: quotas, and how units fill them;
- ``near_duplicates``: clusters of similar texts, by MinHash and exact comparison; ``crowd``: the
  same among texts that share a template;
- ``contamination``: valid and test inputs that also occur elsewhere; ``ngrams``: the index of word
  n-grams that finds them;
- ``report``: figures, as tables and messages for people and as JSON.
"""

from mitools.split.by_hash import Fractions, HashSplitter, normalized_input, position, split_key

__all__ = ["Fractions", "HashSplitter", "normalized_input", "position", "split_key"]
