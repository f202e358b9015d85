"""How good a student is: its labels, its confidence, its rationales, and how they hang together.

- :mod:`~mitools.evaluate.run` asks a student (``asking``), record by record, and scores what it
  says;
- :mod:`~mitools.evaluate.score` is the verdict on one record;
- :mod:`~mitools.evaluate.summary` folds scored records into figures;
- ``labels``, ``calibration``, ``text``, ``surface``, ``steps``, ``consistency`` and ``association``
  hold the measures themselves, ``statistics`` their intervals, ``metric`` their form;
- :mod:`~mitools.evaluate.probes` changes what a student reads and asks again, and ``judging`` has
  a language model judge its rationales.

The measures are functions of arrays, strings and counts: they know no file, no model and no
command line. Importing this package imports none of them.
"""
