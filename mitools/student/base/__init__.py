"""Base models: the models that students are trained from.

- ``open_base``: opens a checkpoint folder, Hub name, GGUF file, encoder, package or new model
- ``inventory``: reads what the files of a checkpoint contain, before a model is built from them;
  ``gguf_file``: the same for GGUF files
- ``fit``: checks that weights, vocabulary and special tokens of an opened model fit together
- ``origin``: the repository and the license that a base model states
- ``packages``: models inside installed Python packages
- ``scratch``: a small T5 with random weights and a tokenizer made from the training texts
"""
