"""Chat logs and reasoning traces as rows that :mod:`mitools.sources.mapping` reads.

- ``exchange``: a question and the replies to it, and their row
- ``forms``: the form of a row, by its fields; it calls the readers below
- ``messages``: lists of messages as rounds of question and answer
- ``responses``: responses of chat servers, also in the lines of a batch
- ``traces``: published reasoning traces
- ``requests``: the questions of a batch, by the id of each line
- ``rows``: the parts of a source, with chat rows replaced
- ``answers``: the field ``teacher``, read out of the replies
- ``shorten``: long rationales, cut to whole sentences
- ``report``: counts of what was read, left out and cut
"""
