"""load: data sets of the Hub, local files and the built-in demo, as records.

- ``options``: the options of the stage; ``load_records``: the stage as one function;
  ``recipe_source``: the source and the options of a recipe.

Where rows come from:

- ``part``: a part of a source: its name and rows; ``splits``: the splits of parts, by their names
- ``folders``: the data files in a folder
- ``formats``: the format of a local file; ``opening``: its bytes as text; ``recognition``: its
  content by its first bytes
- ``json_text``, ``delimited``, ``parquet``, ``arrow_files``: JSON, CSV, Parquet and Arrow files as
  rows; ``arrow``: Arrow tables as rows
- ``json_shape``: a JSON object that holds rows, instead of being one
- ``hub``: data sets of the Hugging Face Hub

How a row becomes a record:

- ``chat``: chat logs and reasoning traces, as rows with ``input`` and ``completion``
- ``mapping``: a row as a record; ``field_specs``: names, paths and templates of source fields;
  ``templates``: Jinja2 in a sandbox
- ``answers``: choices and labels as texts; ``label_forms``: the ways to write a label;
  ``labelling``: the way of one source, inferred from its rows; ``ahead``: reads these rows ahead
- ``published``: presets of well-known data sets
- ``repeated_ids``: notices ids that occur more than once; ``named_fields``: names of fields to
  keep or to drop that no row has
- ``readable``: refuses a source whose gold labels the task cannot read

Importing this package imports none of them.
"""
