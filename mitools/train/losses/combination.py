"""The choice of the losses and their weights, checked without torch.

A stage that still waits for its first record refuses invalid options with this module alone; the
losses themselves are in :mod:`mitools.train.losses.objective`.
"""

from __future__ import annotations

from dataclasses import dataclass

from mitools.errors import UsageError
from mitools.student.layout import Order
from mitools.train.choices import (
    CONTRASTIVE_TERMS,
    DEFAULT_ALPHA,
    DEFAULT_BETA,
    DEFAULT_CONTROL,
    DEFAULT_CRITIC,
    DEFAULT_DIVERGENCE,
    DEFAULT_GAMMA,
    DEFAULT_GRADIENT,
    DEFAULT_MI,
    DEFAULT_POOL,
    DEFAULT_RATIONALE_WEIGHTS,
    DEFAULT_SAME_LABEL,
    DEFAULT_TEMPERATURE,
    SHUFFLED_SHARE,
    Control,
    Critic,
    Divergence,
    Gradient,
    MiTerm,
    Pool,
    RationaleWeights,
    SameLabel,
)
from mitools.train.ranges import SHARE, WEIGHT, check_range

__all__ = ["Objective", "check_weights"]


@dataclass(frozen=True)
class Objective:
    """Which losses are summed, with which weights, and how the MI term is computed.

    Attributes:
        alpha: weight of the label task; the rationale task has 1 − alpha.
        beta: weight of the MI term.
        mi: the MI term.
        pool: how ``maxpool`` and ``ba`` pool the distributions at all positions of a target.
        divergence: how ``maxpool`` compares the label's distribution with the rationale's.
        critic: what ``infonce``, ``jsd`` and ``nwj`` compare: projected decoder states, or pooled
            vocabulary distributions.
        same_label: how these terms treat two records with the same label; never as a wrong pair.
        gradient: whether the MI term also has a gradient in the label side. ``auto``: yes in the
            contrastive terms; no in ``maxpool`` and ``ba``, as in the paper.
        gamma: the weight of the label read behind the rationale (``conclude``), or of the choice
            that the rationale names (``name``).
        temperature: of ``conclude``, as all below: τ, which divides the logits of both readings
            before they are compared.
        mask_label: probability that the words of the label are masked in the rationale before the
            label is read behind it.
        hides_input: whether that rationale is read without the input.
        control: a control experiment: rationales of other records, in all records (``shuffled``) or
            each with probability ½ (``mixed``); or an average of the student's past weights in
            place of the reading behind the rationale (``past``).
        rationale_weights: ``informative`` gives rationales with more information about their label
            a higher weight in the rationale loss.
    """

    alpha: float = DEFAULT_ALPHA
    beta: float = DEFAULT_BETA
    mi: MiTerm = DEFAULT_MI
    pool: Pool = DEFAULT_POOL
    divergence: Divergence = DEFAULT_DIVERGENCE
    critic: Critic = DEFAULT_CRITIC
    same_label: SameLabel = DEFAULT_SAME_LABEL
    gradient: Gradient = DEFAULT_GRADIENT
    gamma: float = DEFAULT_GAMMA
    temperature: float = DEFAULT_TEMPERATURE
    mask_label: float = 0.0
    hides_input: bool = False
    control: Control = DEFAULT_CONTROL
    rationale_weights: RationaleWeights = DEFAULT_RATIONALE_WEIGHTS

    @property
    def concludes(self) -> bool:
        """Whether the label is also read behind the rationale."""
        return self.mi == "conclude" and (self.gamma > 0 or self.beta > 0)

    @property
    def names(self) -> bool:
        """Whether the choice that the rationale names has a loss of its own."""
        return self.mi == "name" and (self.gamma > 0 or self.beta > 0)

    @property
    def tells(self) -> bool:
        """Whether training measures what the rationale tells about the label."""
        return self.concludes or self.names

    @property
    def learns_from_past(self) -> bool:
        """Whether the teacher in ``conclude`` is an average of the student's past: a control."""
        return self.concludes and self.control == "past" and self.beta > 0

    @property
    def shuffled_share(self) -> float:
        """The probability that a label is read behind another record's rationale."""
        return SHUFFLED_SHARE.get(self.control, 0.0)

    @property
    def mi_count(self) -> str:
        """The count that normalizes the MI term; see :data:`mitools.train.task_tensors.COUNTS`."""
        return {"paper": "rows", "conclude": "conclusion_tokens"}.get(self.mi, "pairs")

    @property
    def moves_label(self) -> bool:
        """Whether the MI term has a gradient in the label side."""
        if self.gradient == "auto":
            return self.mi in CONTRASTIVE_TERMS
        return self.gradient == "both"

    @property
    def needs_distributions(self) -> bool:
        """Whether the MI term uses pooled vocabulary distributions."""
        if self.mi in CONTRASTIVE_TERMS:
            return self.critic == "vocabulary"
        return self.mi in ("maxpool", "ba")

    @property
    def is_sum_over_rows(self) -> bool:
        """Whether the loss of a batch is the sum of the losses of its records."""
        if self.mi == "conclude":
            return self.shuffled_share == 0 and self.rationale_weights == "uniform"
        return self.mi in ("none", "maxpool", "name")

    def check(self) -> None:
        """Refuse weights and combinations that do not make a valid objective.

        Raises:
            UsageError: see :func:`check_weights`; or the paper's term with a gradient that the
                paper stops.
        """
        check_weights(self.alpha, self.beta, self.mi, self.gamma)
        if self.rationale_weights == "informative" and not self.concludes:
            message = f"--rationale-weights informative needs --mi conclude, not {self.mi}"
            raise UsageError(message, hint='add "--mi conclude" with --gamma above 0')
        if self.mi == "conclude" and self.control == "past" and self.beta == 0:
            message = "--mi-control past needs --beta above 0: what it changes is the distillation"
            raise UsageError(message, hint='add "--beta 0.5"')
        if self.mi == "paper" and self.gradient == "both":
            message = "--mi paper stops the gradient of the label side by definition"
            raise UsageError(message, hint='drop "--mi-gradient both", or use "--mi maxpool"')

    def check_order(self, order: Order) -> None:
        """Refuse an objective that is not valid for a student with both texts in one pass.

        In one pass, Z is at the positions of the label and V at those of the rationale, in the same
        sequence. Distributions over words remain comparable: they are what the student would output
        next. So ``maxpool`` and the contrastive terms on words are valid. The states are not
        comparable: the states of the later text depend on the earlier text, which is enough to
        recognize a pair or to predict the label. So the contrastive terms on states are refused,
        and ``ba`` where the rationale comes second; where it comes first, its states do not depend
        on the label. ``paper`` is defined for two passes, and ``conclude`` and ``name``
        compare two.

        Raises:
            UsageError: the objective is not valid for this order.
        """
        if order == "separate":
            return
        if self.alpha == 1:
            message = f"--alpha 1 trains labels alone, so --order {order} has nothing to order"
            raise UsageError(message, hint="drop --order, or choose a smaller --alpha")
        if self.mi == "paper":
            message = f"--mi paper compares two separate passes, --order {order} makes one"
            raise UsageError(message, hint='use "--mi maxpool", or drop --order')
        if self.mi in ("conclude", "name"):
            message = f"--mi {self.mi} compares two separate passes, --order {order} makes one"
            raise UsageError(message, hint='use "--mi maxpool", or drop --order')
        if self.mi in CONTRASTIVE_TERMS and self.critic == "states":
            message = f"in --order {order} the later text's states have read the earlier text"
            raise UsageError(message, hint='add "--mi-critic vocabulary", or drop --order')
        if self.mi == "ba" and order == "label-rationale":
            message = "in --order label-rationale the rationale's states have read the label"
            raise UsageError(message, hint='use "--mi maxpool", or "--order rationale-label"')


def check_weights(alpha: float, beta: float, mi: MiTerm, gamma: float = 0.0) -> None:
    """Refuse weights that do not make a valid objective.

    Raises:
        UsageError: α outside [0, 1], β or γ negative or not finite, or a mutual-information term
            without a rationale task.
    """
    check_range("alpha", alpha, SHARE)
    check_range("beta", beta, WEIGHT)
    check_range("gamma", gamma, WEIGHT)
    has_term = beta > 0 or (mi in ("conclude", "name") and gamma > 0)
    if alpha == 1 and mi != "none" and has_term:
        message = "--alpha 1 leaves the rationale task out, so there is nothing to inform"
        raise UsageError(message, hint='add "--mi none", or choose a smaller --alpha')
