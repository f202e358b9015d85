"""A small T5 with random weights, and a tokenizer made from the texts it will be trained on.

For trying the whole pipe with nothing downloaded: such a model learns the form of its records in
minutes, and knows nothing of the world.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from tokenizers import (
    Regex,
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    processors,
    trainers,
)
from transformers import PreTrainedTokenizerFast, T5Config, T5ForConditionalGeneration

from mitools.errors import StudentError
from mitools.student.codec import tokenizable

__all__ = ["SIZES", "ScratchSize", "build_scratch", "build_tokenizer"]

# T5's own places: padding is 0, also the decoder's first token, and the end token is 1.
_PAD, _END, _UNKNOWN = "<pad>", "</s>", "<unk>"


@dataclass(frozen=True)
class ScratchSize:
    """How large a student from scratch is.

    Attributes:
        width: hidden size D; heads are 32 wide, or narrower in a model of fewer dimensions.
        layers: layers of the encoder, and of the decoder.
        vocabulary: the most tokens that the tokenizer may have, all 256 bytes among them.
    """

    width: int
    layers: int
    heads: int
    feed_forward: int
    vocabulary: int
    dropout: float = 0.0


SIZES = {
    "tiny": ScratchSize(width=32, layers=1, heads=2, feed_forward=64, vocabulary=320),
    "small": ScratchSize(width=128, layers=2, heads=4, feed_forward=256, vocabulary=512),
    "base": ScratchSize(
        width=256, layers=4, heads=8, feed_forward=1024, vocabulary=4096, dropout=0.1
    ),
}
"""By name: about 0.03, 0.7 and 8 million weights."""

_POSITION_SPREAD = 2.0
"""Standard deviation of the initial attention biases by distance.

T5 starts them at D ** -0.5, which is next to nothing, and an optimizer such as Adam then moves them
by at most the learning rate a step: in the few hundred steps of a small run no head learns to look
at its neighbour. Copying an unseen number digit by digit needs just that. Starting them wide gives
some heads a place to look at from the first step.
"""


def build_scratch(
    texts: Iterable[str], size: str = "small", seed: int = 0
) -> tuple[T5ForConditionalGeneration, PreTrainedTokenizerFast]:
    """Build a T5 with random weights, float32, and a tokenizer trained on ``texts``.

    Args:
        texts: everything the student will read or write, task prefixes included; read once.
        size: a key of :data:`SIZES`.
        seed: the same texts and seed give the same tokenizer and weights.

    Returns:
        The model and its tokenizer; saved into one folder, both load by ``AutoModelForSeq2SeqLM``
        and ``AutoTokenizer``.

    Raises:
        StudentError: there is no such size.
    """
    if size not in SIZES:
        raise StudentError(f'no size "{size}" of scratch', hint=f"sizes: {', '.join(SIZES)}")
    shape = SIZES[size]
    tokenizer = build_tokenizer(texts, shape.vocabulary)
    with torch.random.fork_rng(devices=[]):  # the caller's chance stays as it was
        torch.manual_seed(seed)
        model = T5ForConditionalGeneration(_config(shape, tokenizer))
        for stack in (model.encoder, model.decoder):
            bias = stack.block[0].layer[0].SelfAttention.relative_attention_bias
            torch.nn.init.normal_(bias.weight, std=_POSITION_SPREAD)
    return model, tokenizer


def _config(shape: ScratchSize, tokenizer: PreTrainedTokenizerFast) -> T5Config:
    return T5Config(
        vocab_size=len(tokenizer),
        d_model=shape.width,
        d_kv=min(32, shape.width // shape.heads),
        d_ff=shape.feed_forward,
        num_layers=shape.layers,
        num_heads=shape.heads,
        dropout_rate=shape.dropout,
        pad_token_id=tokenizer.pad_token_id,
        eos_token_id=tokenizer.eos_token_id,
        decoder_start_token_id=tokenizer.pad_token_id,
    )


def build_tokenizer(texts: Iterable[str], vocabulary: int) -> PreTrainedTokenizerFast:
    """Train a byte-pair tokenizer that splits numbers into their digits.

    It starts from bytes, so there is no text that it cannot write, and decoding what it encoded
    gives the text back to the character. A text that spells a special token is encoded as the
    characters it is made of, so no input can end a sequence early.

    Args:
        vocabulary: the most tokens to make; fewer come out where the texts hold too little.
    """
    core = Tokenizer(models.BPE())
    # A space in front, taken away when decoding: so a word that begins a label is the same token as
    # in the middle of a rationale, where it is copied from and where the MI term looks for it.
    core.normalizer = normalizers.Prepend(" ")
    core.pre_tokenizer = pre_tokenizers.Sequence(
        [
            # One token a digit, or else an unseen number would be an unseen token; the space before
            # the first digit stays with it, which tells the first digit from the others. One token
            # a mark as well: a bracket must be the same token whether a period follows or not.
            pre_tokenizers.Split(Regex(r" ?[\p{Nd}\p{P}\p{S}]"), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    )
    core.decoder = decoders.Sequence([decoders.ByteLevel(), decoders.Strip(" ", 1, 0)])
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        min_frequency=2,
        special_tokens=[_PAD, _END, _UNKNOWN],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    core.train_from_iterator(map(tokenizable, texts), trainer)
    core.post_processor = processors.TemplateProcessing(
        single=f"$A {_END}",
        pair=f"$A {_END} $B {_END}",
        special_tokens=[(_END, core.token_to_id(_END))],
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=core,
        pad_token=_PAD,
        eos_token=_END,
        unk_token=_UNKNOWN,
        split_special_tokens=True,
        clean_up_tokenization_spaces=False,
        model_input_names=["input_ids", "attention_mask"],
    )
