"""Ask a student: in the predict pass, behind its rationales, or by both.

- ``answering``: the ways of answering by name;
- ``opening``: opens students; ``identity``: a student's hash and name;
- ``predict``: the answers of the predict pass; ``readings``: those of both passes;
- ``combine``: one answer of two readings;
- ``respond``: answers records by both readings, and fits their weight; ``weight``: fits it for a
  student that was just trained.

Importing this package imports none of them.
"""
