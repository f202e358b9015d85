"""The work folder of a training run: its lock, its checkpoints, and going on from them."""
