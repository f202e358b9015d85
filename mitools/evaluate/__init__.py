"""Evaluation of a student: its labels, its confidence, its rationales, and how they relate.

Start at ``evaluate_student``; every option is in ``options``. A summary holds the figures of one
run, and ``catalog`` describes them.

- ``evaluate_student``: the calls for Python: evaluate a student, compare two runs;
- ``findings``: the figures of several runs together, with seeds or a baseline;
- ``run``: one pass over records; ``options``: how to evaluate, and what does not go together;
  ``pass_checks``: the answers that records hold, and what to warn about;
- ``select``: the records of one split; ``answer_records``: their answers, batch by batch;
- ``ways``: the figures of each way of answering;
- ``open_similarity``: opens the encoder that compares rationales;
- ``score``: the verdicts on one record; ``outcomes``: outcomes by record, to compare runs;
- ``summary``: folds judged records into figures; ``confidences``: the figures about confidence;
  ``beside_teacher``: those of the student beside its teacher;
- ``by_field``: the main figures for each value of a field; ``field_values``: these values, and the
  fields that exist; ``by_field_report``: the tables;
- :mod:`~mitools.evaluate.operating`: above which confidence the student answers by itself;
- ``side_figures``: baselines on the same records, and costs;
- ``catalog``: the measure of every figure; ``report``: figures as rows of text;
  ``headline``: the figures that are shown first; ``caveats``: what they rest on and leave out;
- ``side_report``: the rows of baselines and costs;
- ``provenance``: software, student and decoding of a summary;
- ``sample``: a bounded sample of records that does not depend on their order;
- :mod:`~mitools.evaluate.judge`: a language model that judges rationales;
- :mod:`~mitools.evaluate.measures`: the definition and computation of each figure;
- :mod:`~mitools.evaluate.baselines`: cheap ways to answer the same records;
- :mod:`~mitools.evaluate.costs`: time, tokens, memory and money;
- :mod:`~mitools.evaluate.simulators`: local models that guess answers from rationales;
- :mod:`~mitools.evaluate.probes`: interventions on what a student reads.

Importing this package imports none of them.
"""
