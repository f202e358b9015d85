"""The options of a run in the terms of transformers."""

from __future__ import annotations

import math
from fractions import Fraction

import torch
from transformers import TrainingArguments

from mitools.errors import TrainingError, UsageError
from mitools.train.losses.objective import Objective
from mitools.train.options import TrainOptions
from mitools.train.trackers import names_of_run

__all__ = ["OneDeviceArguments", "records_a_piece", "training_arguments", "uses_bf16"]

_NUMBERS_A_PIECE = 1 << 20
"""On a CPU, the size of one activation in one layer of a forward pass: its tokens times the width.

Larger pieces do not fit the caches and have more padding. Measured on T5 of the small shape, two
threads, seconds per step: 32 records like SVAMP's in pieces of 32, 16, 8: 11.7, 9.7, 9.0; 8 records
with inputs of 300 tokens in pieces of 8, 4, 2: 16.2, 12.9, 11.5. A piece of this size holds 14 of
the former and 3 of the latter. For a narrow model it holds the whole batch, where pieces of 2 would
take half as long again.
"""


class OneDeviceArguments(TrainingArguments):  # type: ignore[misc]
    """Arguments of a process that trains on one device.

    With several GPUs and no launcher, the trainer would split each batch over all of them in one
    process (``torch.nn.DataParallel``). The two-task model cannot be run so: the counts of a batch
    are not rows of it, and a step would take ``--batch-size`` records times the number of GPUs.
    """

    @property
    def n_gpu(self) -> int:
        return min(1, int(super().n_gpu))


def training_arguments(
    options: TrainOptions, rows: int, validates: bool, processes: int = 1, *, row_size: float = 0
) -> TrainingArguments:
    """Translate the options of a run into those of ``transformers.Trainer``.

    Args:
        rows: training records.
        validates: whether there are records to evaluate during training.
        processes: how many processes share a batch.
        row_size: tokens of a record, in both tasks together, times the width of the model.

    Raises:
        UsageError: the batch cannot be shared evenly.
        TrainingError: see :func:`uses_bf16`.
    """
    if options.batch_size % processes:
        message = f"--batch-size {options.batch_size} is not a multiple of {processes} processes"
        raise UsageError(message, hint="choose a multiple")
    share = options.batch_size // processes
    chosen = options.micro_batch_size or records_a_piece(options.objective, share, row_size)
    micro = min(chosen, share)
    if share % micro:
        message = f"{share} records a process are not a multiple of --micro-batch-size {micro}"
        raise UsageError(message, hint="choose a divisor")
    selects = validates and options.select_by != "last"
    per_epoch = math.ceil(rows / options.batch_size)
    # As typed: in binary, 1.1 times 50 is above 55.
    total = options.max_steps or math.ceil(Fraction(str(options.epochs)) * per_epoch)
    every = options.eval_every or (max(1, total // 10) if options.max_steps else per_epoch)
    return OneDeviceArguments(
        output_dir=str(options.work),
        per_device_train_batch_size=micro,
        per_device_eval_batch_size=micro,
        gradient_accumulation_steps=share // micro,
        max_steps=total,
        learning_rate=options.peak_learning_rate,
        lr_scheduler_type=_schedule(options),
        warmup_steps=options.warmup_steps,
        weight_decay=options.weight_decay,
        optim="adamw_torch_fused",
        bf16=uses_bf16(options.precision),
        use_cpu=not torch.accelerator.is_available(),
        eval_strategy="steps" if validates else "no",
        eval_steps=min(every, total),
        save_strategy="steps",
        save_steps=min(every, total),
        load_best_model_at_end=selects,
        metric_for_best_model="eval_selection" if selects else None,
        greater_is_better=True,
        logging_steps=max(1, min(50, total // 20)),
        logging_nan_inf_filter=False,
        remove_unused_columns=False,
        dataloader_pin_memory=torch.cuda.is_available(),
        disable_tqdm=True,
        log_level="error",
        **names_of_run(options.save),
        seed=options.seed,
        data_seed=options.seed,
    )


def _schedule(options: TrainOptions) -> str:
    """Name the schedule as transformers does: its ``constant`` ignores the warm-up."""
    if options.schedule == "constant" and options.warmup_steps:
        return "constant_with_warmup"
    return options.schedule


def records_a_piece(objective: Objective, share: int, row_size: float) -> int:
    """Choose the number of records in a forward pass if the user did not.

    Args:
        share: records of a batch in one process; the result divides it.
        row_size: as in :func:`training_arguments`.
    """
    if torch.accelerator.is_available() or not objective.is_sum_over_rows:
        return share
    most = min(share, max(1, int(_NUMBERS_A_PIECE / max(1.0, row_size))))
    best = max(size for size in range(1, most + 1) if share % size == 0)
    return best if 2 * best >= most else share


def uses_bf16(precision: str) -> bool:
    """Decide whether to use bfloat16 autocast; ``auto`` does if the hardware computes in it.

    Raises:
        TrainingError: the precision is ``bf16`` and the device only emulates it.
    """
    if precision == "fp32":
        return False
    if torch.cuda.is_available():
        is_fast = bool(torch.cuda.is_bf16_supported(including_emulation=False))
    else:
        # Without these instructions a CPU emulates bfloat16, measured at 1/400 of float32's speed.
        instructions = torch.cpu.get_capabilities()
        is_fast = bool(instructions.get("avx512_bf16") or instructions.get("amx_bf16"))
    if precision == "bf16" and not is_fast:
        raise TrainingError("this device only emulates bfloat16", hint='use "--precision fp32"')
    return is_fast
