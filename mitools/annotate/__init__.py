"""annotate: let a teacher answer and explain each record.

The stage:

- ``options``: its options, with their defaults and checks; ``ranges``: those of numbers;
  ``params``: those of request fields; ``notices``: callbacks for messages
- ``annotate_records``: the stage as one function; ``open_teacher``: a teacher from its options
- ``dry_run``: estimate of the cost; ``batch``: requests for a batch service, and its answers
- ``batch_rounds``: the teacher that is asked in batches; ``batch_flights``: the batches at work
- ``report``: the summary of a finished run; ``failures``: what happens to a record without an
  answer; ``unanswered``: when such records stop a run

One run:

- ``run``: records through a teacher, bounded, concurrent and in order; ``outlet``: its places for
  records; ``loop_thread``: its event loop; ``interrupt``: handling of ^C; ``tally``:
  its counts
- ``protocol``: questions, replies and the interface of a teacher; ``strategy``: the questions
  about a record; ``conversation``: one record's questions and replies; ``samples``: replies read as
  samples, and the ``teacher`` field; ``leak``: rationales that refer to the given answer
- ``token_logprobs``: the tokens of a completion with log-probabilities; ``probabilities``: those
  of the answers, from them; ``scoring``: those of every choice, where the server scores texts

Teachers:

- ``prompt``: the messages sent to a teacher; ``replay``: teachers that answer from a file, from
  the records, or by rule
- :mod:`~mitools.annotate.client`: the teacher behind an OpenAI-compatible endpoint

Importing this package imports none of them.
"""
