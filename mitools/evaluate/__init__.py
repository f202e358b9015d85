"""Evaluating a student: its labels, its confidence, its rationales, and how they go together.

- ``run``: one pass over records; ``options``: how it is done; ``opening``: loading the student;
  ``predict``: asking it;
- ``score``: the verdict on one record; ``outcomes``: verdicts by record, to compare runs;
- ``summary``: folds scored records into figures; ``confidences``: those about confidence;
  ``findings``: the whole document that ``mitools eval --summary`` writes; ``report``: figures as
  rows of text; ``provenance``: which software, student and decoding;
- ``sample``: a bounded sample of records that does not depend on their order;
- ``judging``: a language model as judge of rationales;
- :mod:`~mitools.evaluate.measures`: what each figure is and how it is computed;
- :mod:`~mitools.evaluate.simulators`: local models that guess answers from rationales;
- :mod:`~mitools.evaluate.probes`: changes what a student reads, and asks it again.

Importing this package imports none of them.
"""
