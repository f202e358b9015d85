"""One HTML file that shows records and figures to anybody with a browser.

- :mod:`~mitools.explain.page.write` folds what was looked at and writes the file;
- :mod:`~mitools.explain.page.rows` makes small rows of views, safe to stand inside a page;
- :mod:`~mitools.explain.page.figures` computes figures, or takes those of ``eval``;
  :mod:`~mitools.explain.page.missing` says why a plot is not there;
- :mod:`~mitools.explain.page.curves` computes what the plots draw,
  :mod:`~mitools.explain.page.plots` and :mod:`~mitools.explain.page.probe_plots` where;
- ``templates`` holds the page itself: HTML and SVG for Jinja, a style sheet and the script.

Importing this package imports none of them.
"""
