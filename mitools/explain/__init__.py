"""Looking at records: gold, teacher and student side by side.

- :mod:`~mitools.explain.view` says what there is to see in one record, and
  :mod:`~mitools.explain.build_view` works it out;
- :mod:`~mitools.explain.versus` finds a second student's answers to the same records;
- :mod:`~mitools.explain.filters` which records to show, and in which order;
- :mod:`~mitools.explain.run` goes over the records, and asks a student where none has answered;
- :mod:`~mitools.explain.summaries` reads the figures that ``eval`` wrote;
  :mod:`~mitools.explain.cards` and :mod:`~mitools.explain.panels` put them in words;
- :mod:`~mitools.explain.terminal` draws a view as text, :mod:`~mitools.explain.terminal_figures`
  figures, and :mod:`~mitools.explain.pager` pages both;
- :mod:`~mitools.explain.page` makes a page for a browser.

Importing this package imports none of them.
"""
