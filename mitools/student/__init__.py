"""Students: small models that answer and explain.

- ``protocol``: what every student can do; no model code
- ``local``: a trained student on this machine; ``folder``: loading and saving its folder;
  ``metadata``: the ``mitools.json`` in it; ``devices``: the device that it runs on;
  ``chat``: the chat template, by which a server makes the student's prompts
- ``layout``: tasks, prompt prefixes and the order of the texts; ``codec``: texts to token ids and
  back; ``control_tokens``: tokens that no text becomes; ``sequence``: label and rationale in one
  target sequence
- ``forward``: logits of targets, for every kind of student; ``causal``: the same for causal models,
  with shared prompts; ``packing``: rows in one sequence without padding, and ``packing_trial``:
  whether a model reads them alike; ``scoring``: log-probabilities of targets; ``mentions``: of
  what a rationale may name next; ``decoding``: greedy and sampled
- ``instrument``: noise on the input, and attribution of answers to input tokens
- ``untrained``: a student before its training
- ``lora``: low-rank adapters; ``sentence_encoder``: texts to vectors, to compare them by meaning
- ``boundary``: errors of the libraries that read model files; ``trial``: a test forward pass of an
  opened model; ``round_trip``: whether a saved model loads as it was; ``kernel_cache``: how many
  compiled kernels are kept

Package ``base``: the models that students are trained from.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mitools.student.folder import load_student, save_student

__all__ = ["load_student", "save_student"]


def __getattr__(name: str) -> Any:
    # Importing this package for its protocol alone must not cost seconds of torch.
    if name in __all__:
        from mitools.student import folder

        return getattr(folder, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
