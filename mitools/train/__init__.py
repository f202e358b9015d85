"""Training: from records to a student that is saved whole.

A run, in the order of its steps:

- ``run``: :func:`~mitools.train.run.train_student`, training in one call
- ``options``: the options of a run; ``fields``: their help, defaults and ranges in one declaration;
  ``choices``: words that options take, and presets; ``ranges``: numbers that options take;
  ``combinations``: options that exclude each other; ``unused``: the options that a run does not
  read
- ``prepare``: opens the base model and tokenizes the records; ``preflight``: checks of lengths and
  labels before the first step; ``dry_run``: steps, batch shapes and memory, without training
- ``example``: which label and rationale of a record are learned; ``soft_labels``: the distribution
  over labels that a teacher gives; ``drawn``: some records in place of all;
  ``tokenized``: token ids on disk; ``label_words``: the words of a rationale that are its label's;
  ``naming``: the place where a rationale names a choice;
  ``sampler``: the order of the records; ``fill``: rows that fill the last batch; ``collate``: the
  padded batches of a step
- ``training_run``: a prepared run, from its first step to the saved student; ``arguments``: its
  options in the terms of transformers; ``trainer``: ``transformers.Trainer`` for two tasks;
  ``two_task_model``: the model with its losses; ``passes``: its forward passes; ``conclusion``: the
  label read behind the rationale; ``past``: the average of past weights; ``task_tensors``: the
  tensors of a task in a batch; ``attention``: the kernels of attention; ``dropout``: fast dropout
  on a CPU; ``allocator``: memory that a step frees, kept for the next; ``recompute``: layers
  computed again for the gradient
- ``validate``: validation metrics; ``mi_estimate``: a lower bound on the mutual information of
  label and rationale; ``callbacks``: the log, early stopping and signals; ``trackers``:
  TensorBoard, wandb and Trackio
- ``answer_weight``: how a student with two readings of the label answers
- ``weights``: weights into and out of a checkpoint; ``saving``: the student's folder and metadata;
  ``card``: its model card
- ``processes``: several processes that train one student

Packages:

- ``losses``: the losses, as functions on tensors
- ``work_folder``: checkpoints, and resuming from them

Importing this package imports none of them. ``choices``, ``combinations``, ``fields``, ``options``,
``ranges``, ``trackers`` and ``unused`` do not import torch.
"""
