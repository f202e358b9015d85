"""The HTML page: one file that shows records and figures in a browser.

- ``write``: the entry point, :func:`~mitools.explain.page.write.write_page`; collects records and
  writes the file;
- ``render``: renders the templates; ``templates``: HTML and SVG for Jinja, style sheet, script;
- ``rows``: records as small JSON rows;
- ``summarize``: figures computed from views, where ``eval`` gave none;
- ``curves``: the data of plots; ``plots`` and ``probe_plots``: their layout in SVG coordinates;
- ``missing_plots``: the reasons for plots without data.

Importing this package imports none of them.
"""
