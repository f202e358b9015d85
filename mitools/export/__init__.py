"""export: a student in the format of another runtime, checked against the student.

- ``options``: what to export, where to, and how closely it must agree; ``run``: the whole export
- ``protocol``: what each target does: convert a folder, and answer with what it made
- ``agreement``: answers of student and export compared; ``card``: the model card of an export
- ``hub``: a student's folder uploaded to the Hugging Face Hub

Package ``targets``: the converters.
"""
