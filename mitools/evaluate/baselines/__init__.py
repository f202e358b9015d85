"""Cheap baselines on the student's own records: is the student better than a linear model?

A baseline learns from the records of the training split and answers the evaluated ones. What it
answers holds no gold label, so none can leak.

- ``names``: the names of the baselines, as people type them;
- ``protocol``: problems, examples and guesses, and what every baseline can do;
- ``bench``: collects training examples, problems and outcomes from the records of a pass;
- ``open_baselines``: makes the baselines that were asked for;
- ``compare``: fits each baseline, and compares it with the student in paired tests;
- ``majority``: the most frequent answer; ``tfidf``: TF-IDF and logistic regression;
- ``arithmetic``: a linear model of which numbers of the input to join, for equations;
- ``encoder``: a sentence encoder with a linear head; ``untrained``: the student before training;
- ``space``: the possible answers that a baseline learns from examples;
- ``linear_head``: a linear model of either kind of answer, on any features;
- ``class_model``: logistic regression over classes; ``pair_model``: over each problem's choices;
- ``terms``: TF-IDF features of texts.

Importing this package imports none of them.
"""
