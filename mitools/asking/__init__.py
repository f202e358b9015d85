"""Ask a student: in the predict pass, behind its rationales, by both, or by what it names.

- ``answering``: the ways of answering by name;
- ``opening``: opens students; ``identity``: a student's hash and name;
- ``predict``: the answers of the predict pass; ``reader``: asks by all readings;
- ``readings``: what they give, and the answer in one of the ways; ``combine``: one answer of two
  readings; ``named``: the answer that rationales name;
- ``respond``: answers records by both readings, and fits their weight; ``weight``: fits it for a
  student that was just trained.

Importing this package imports none of them.
"""
