"""Local simulators: small models that guess a student's answers from what it was asked and said.

- ``choose``: which answers there are for each record, and which family of simulator guesses them;
- ``models``: the simulators themselves, for a fixed set of labels and for choices by record;
- ``logit``: the conditional logit behind the latter;
- ``equation_features`` and ``choice_features``: what it sees of an equation or of a choice;
- ``association``: what is measured with them (conditional V-information, LAS, rationale quality);
- ``tally``: collects records, runs the simulators, and gives the figures.

Importing this package imports none of them.
"""
