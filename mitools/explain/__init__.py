"""The explain stage: the answers of gold, teacher and student, side by side.

- ``run``: the entry point, :func:`~mitools.explain.run.explain_records`;
- ``options``: :class:`~mitools.explain.options.ExplainOptions`, their defaults and checks;
- ``view``: the view of one record; ``build_view``: makes it from a record;
- ``filters``: filters, sampling, sorting and counting of views;
- ``live``: a record of a text that a person typed;
- ``saved_point``: the operating point of the student that is asked;
- ``second_student``: another student's answers to the same records; ``run_names``: short names of
  runs;
- ``report``: messages about a run;
- ``terminal``: a view as text, of ``pieces`` and ``prose``; ``excerpt``: the parts of a long text
  that are shown; ``word_diff``: how two texts differ; ``pager``: sends text to the user's pager;
- ``counted``: which records the figures are of;
- ``overview``: the main figures and ``next_commands``: what to type next; ``examples``: a right, a
  wrong and an inconsistent record;
- ``summary_file``: reads the figures that ``mitools eval --summary`` wrote;
- ``figure_text``: one figure as text; ``cards``: the main figures; ``panel``: figures that are
  read together; ``panels``: those of probes, of a judge, of costs and of comparisons;
  ``baseline_panel``: those of baselines; ``terminal_figures``: cards and panels as text;
- ``page``: the HTML page, :func:`~mitools.explain.page.write.write_page`, and the index of runs.

Importing this package imports none of them.
"""
