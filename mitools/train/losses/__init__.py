"""The losses of training: functions on tensors, without a model, a file or a trainer.

- ``combination``: which losses are summed, with which weights; it does not import torch
- ``objective``: the losses of single records
- ``contrastive``: mutual-information terms that compare a record's pair with those of others
- ``critic``: the trainable scores of such pairs
- ``conclude``: the label behind the rationale, and its distillation into the label before it
- ``naming``: the choice that the rationale names, and its distillation into the label
- ``fused``: the vocabulary head and the losses in one step, without a [B, T, V] tensor
"""
