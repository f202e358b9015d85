"""study: train and measure many students, and compare them.

- ``plan``: a study file, and the runs that it asks for
- ``draw_records``: which records a run trains on, validates with and is tested on
- ``conduct``: makes the runs that are missing, several at once; ``schedule``: which comes next and
  whether it would end in time; ``workers``: the processes that make them; ``make_run``: one run
- ``results``: what is stored of a run
- ``tables``: means, intervals and paired tests over runs; ``learning_curve``: their picture;
  ``report``: Markdown and JSON

A run is ``mitools train`` and ``mitools eval`` with options of the study file. How these are called
is the command line's business, so the caller hands that in.
"""
