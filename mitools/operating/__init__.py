"""Operating points: above which confidence a student answers by itself.

- ``point``: an operating point, and its file in the folder of a student;
- ``confidence``: the confidence in an answer that is compared with the threshold.

``mitools eval --target-accuracy`` chooses the threshold. Importing this package imports
none of its modules.
"""
