"""The measures: what each figure is, computed from arrays, strings and counts.

- ``metric``: the form of a measure (title, unit, direction) and of a figure (value, interval);
- ``statistics``: confidence intervals, by Wilson's formula and by the bootstrap;
- ``labels``: accuracy and other rates of labels, macro-F1;
- ``calibration``: expected calibration error with its null band, Brier score, NLL;
- ``classwise``: the calibration error of each label's probability;
- ``temperature``: fitting a temperature;
- ``ranking``: AUROC, area under the risk-coverage curve, accuracy at coverage;
- ``text``: similarity to reference rationales; ``surface``: emptiness, copying and repetition;
- ``steps``: the arithmetic that a rationale states;
- ``consistency``: whether the rationale supports the student's own label;
- ``simulatability``: the measures that simulators and edited rationales are for;
- ``comparison``: paired tests between students, Holm's correction, the smallest detectable effect;
- ``seeds``: t-tests over training seeds.

No module here imports files, models or the command line. Importing this package imports none.
"""
