"""Ask a student: in the predict pass, behind its rationales, or by both.

- ``opening``: opens students and sentence encoders;
- ``answer_records``: answers a stream of records batch by batch;
- ``predict``: the answers of the predict pass; ``readings``: those of both passes;
- ``ways_of_answering``: the ways by name; ``combine``: one answer of two readings;
- ``respond``: answers records by both readings, and fits their weight.

Importing this package imports none of them.
"""
