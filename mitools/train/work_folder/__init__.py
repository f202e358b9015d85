"""The work folder of a training run, ``DIR.work`` beside ``--save DIR``.

- ``workspace``: the folder and its lock; recognizing and deleting it
- ``destination``: whether the folder to save to is free, or may be replaced
- ``checkpoints``: writing, verifying, choosing and deleting checkpoints
- ``resume``: what must be the same in a resumed run, and where it continues
"""
