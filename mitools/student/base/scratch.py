"""A small T5 with random weights, and a tokenizer made from the training texts.

It runs the whole pipe without a download: such a model learns the form of its records in minutes,
but has no other knowledge.
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

__all__ = ["SIZES", "ScratchSize", "build_scratch", "build_tokenizer", "random_model"]

# The ids of T5: padding, which is also the decoder's first token, is 0; the end token is 1.
_PAD, _END, _UNKNOWN = "<pad>", "</s>", "<unk>"


@dataclass(frozen=True)
class ScratchSize:
    """The size of a new student.

    Attributes:
        width: hidden size D; heads are 32 wide, or narrower in a smaller model.
        layers: layers of the encoder, and of the decoder.
        vocabulary: maximum number of tokens, including the 256 bytes.
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

T5 initializes them at D ** -0.5, close to zero, and an optimizer such as Adam then changes them by
at most the learning rate per step. In the few hundred steps of a small run, no head learns to
attend to the next token, which copying an unseen number digit by digit needs. With a wide
initialization some heads attend to near tokens from the first step.
"""


def build_scratch(
    texts: Iterable[str], size: str = "small", seed: int = 0
) -> tuple[T5ForConditionalGeneration, PreTrainedTokenizerFast]:
    """Build a T5 with random weights, float32, and a tokenizer trained on ``texts``.

    Args:
        texts: all inputs and targets of training, including task prefixes; read once.
        size: a key of :data:`SIZES`.
        seed: the same texts and seed give the same tokenizer and weights.

    Returns:
        The model and its tokenizer. Saved in one folder, ``AutoModelForSeq2SeqLM`` and
        ``AutoTokenizer`` load them.

    Raises:
        StudentError: there is no such size.
    """
    tokenizer = build_tokenizer(texts, _shape(size).vocabulary)
    return random_model(tokenizer, size, seed), tokenizer


def random_model(
    tokenizer: PreTrainedTokenizerFast, size: str = "small", seed: int = 0
) -> T5ForConditionalGeneration:
    """Build a T5 with random weights, float32, for a tokenizer.

    Args:
        tokenizer: of :func:`build_tokenizer`.
        size: a key of :data:`SIZES`.
        seed: the same tokenizer and seed give the same weights.

    Raises:
        StudentError: there is no such size.
    """
    shape = _shape(size)
    with torch.random.fork_rng(devices=[]):  # the caller's random state is unchanged
        torch.manual_seed(seed)
        model = T5ForConditionalGeneration(_config(shape, tokenizer))
        for stack in (model.encoder, model.decoder):
            bias = stack.block[0].layer[0].SelfAttention.relative_attention_bias
            torch.nn.init.normal_(bias.weight, std=_POSITION_SPREAD)
    return model


def _shape(size: str) -> ScratchSize:
    if size not in SIZES:
        raise StudentError(f'no size "{size}" of scratch', hint=f"sizes: {', '.join(SIZES)}")
    return SIZES[size]


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
    """Train a byte-pair tokenizer that splits numbers into digits.

    It starts from bytes, so it can encode any text, and decoding returns exactly the text. A text
    that spells a special token is encoded as its characters, so no input can end a sequence early.

    Args:
        vocabulary: maximum number of tokens; short texts give fewer.
    """
    core = Tokenizer(models.BPE())
    # A leading space, removed when decoding: the first word of a label is then the same token as in
    # the middle of a rationale, where it is copied from and where the MI term compares it.
    core.normalizer = normalizers.Prepend(" ")
    core.pre_tokenizer = pre_tokenizers.Sequence(
        [
            # One token per digit: otherwise an unseen number would be an unseen token. The space
            # before a number belongs to its first digit, which marks the first digit. One token per
            # punctuation mark: a bracket must be the same token whether a period follows or not.
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
