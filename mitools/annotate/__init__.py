"""annotate: let a teacher answer and explain each record.

The stage:

- ``options``: its options, with their defaults and checks; ``notices``: callbacks for messages
- ``annotate_records``: the stage as one function; ``open_teacher``: from options to a teacher
- ``dry_run``: what a run will cost; ``batch``: requests for a batch service, and its answers
- ``report``: what a finished run says to people; ``failures``: records without an answer

One run:

- ``run``: records through a teacher, bounded, concurrent and in order; ``outlet``: its places for
  records; ``loop_thread``: its event loop; ``interrupt``: the first ^C and the second; ``tally``:
  its counts
- ``protocol``: what passes between strategy and teacher; ``strategy``: what is asked about a
  record; ``conversation``: one record's questions and replies; ``samples``: replies read as
  samples, and the ``teacher`` field; ``leak``: rationales that say they were told the answer

Teachers:

- ``prompt``: what a teacher is shown; ``replay``: teachers that answer at once, from files, from
  the records or by rule
- :mod:`~mitools.annotate.client`: the teacher behind an OpenAI-compatible endpoint

Importing this package imports none of them.
"""
