"""A student before a teacher: it answers what it is sure of, or chooses what the teacher is asked.

- ``options``: which student, above which confidence, and how many records to choose
- ``cascade_records``: annotate with a student as one function; ``open_front``: the student that
  stands before the teacher, from the options
- ``ask_student``: a student's answers, confidences and rationales
- ``sure_answers``: what the student is sure of is its answer, the rest goes to the teacher;
  ``selection``: the least sure records, or random ones, go to the teacher
- ``bill``: the costs and the saving of a finished run; ``dry_run``: the expected ones

Importing this package imports none of them.
"""
