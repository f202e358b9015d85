"""The HTML page: one file that shows records and figures in a browser.

- ``write``: the entry point, :func:`~mitools.explain.page.write.write_page`; collects records and
  writes the file;
- ``render``: renders the templates; ``templates``: HTML and SVG for Jinja, style sheets, scripts;
- ``rows``: records as small JSON rows; ``packed_rows``: compresses them with the records;
- ``facts``: what the records are; ``command``: the command that shows them in a terminal;
- ``teacher_replies``: a teacher's replies, from the journal;
- ``figures``: the figures, plots and their reasons; ``summarize``: figures computed from views,
  where ``eval`` gave none;
- ``curves``: the data of plots; ``plots`` and ``probe_plots``: their layout in SVG coordinates;
- ``missing_plots``: the reasons for plots without data;
- ``write_index``: the index of a folder of runs; ``find_runs``: finds them; ``run_figures``: their
  figures and comparisons.

Importing this package imports none of them.
"""
