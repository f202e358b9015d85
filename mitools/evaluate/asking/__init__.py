"""Ask a student: in the predict pass, behind its rationales, or by both.

- ``opening``: opens students and sentence encoders; ``identity``: a student's hash and name;
- ``predict``: the answers of the predict pass; ``readings``: those of both passes;
- ``combine``: one answer of two readings;
- ``respond``: answers records by both readings, and fits their weight.

Importing this package imports none of them.
"""
