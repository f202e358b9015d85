"""annotate: let a teacher answer and explain each record.

Records go through an :class:`AnnotationRun`, which asks a :class:`Teacher` what a strategy wants
to know.
"""
