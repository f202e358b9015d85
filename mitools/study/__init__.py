"""study: train and measure many students, and compare them.

- :mod:`plan`: a study file, and the runs that it asks for.
- :mod:`draw_records`: which records a run trains on, validates with and is tested on.
- :mod:`conduct`: makes the runs that are missing, several at once; :mod:`schedule` says which comes
  next and whether it would end in time; :mod:`workers` are the processes that make them.
- :mod:`results`: what is stored of a run.
- :mod:`tables`: means, intervals and paired tests over runs; :mod:`learning_curve` draws them;
  :mod:`report` writes Markdown and JSON.

A run is ``mitools train`` and ``mitools eval`` with options of the study file. How these are called
is the command line's business, so the caller hands that in.
"""
