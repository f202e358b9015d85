"""A language model that judges rationales.

- ``open_judge``: opens it; ``judging``: its questions, and the figures of its answers.

Importing this package imports neither of them.
"""
