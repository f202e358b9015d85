"""The options of annotate: one frozen class, its defaults and choices, and the checks of both.

The command line takes its defaults, choices and ranges from here. Imports no client, so that
``mitools annotate --help`` starts fast.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mitools.annotate.params import check_params
from mitools.annotate.ranges import RANGES
from mitools.errors import UsageError
from mitools.schema import READINGS, TASKS

__all__ = [
    "ALIKE_FAILURES",
    "ENDPOINT_ONLY",
    "KEEPS",
    "MAX_UNANSWERED",
    "PROMPTS",
    "SCORINGS",
    "STRATEGIES",
    "TEACHERS",
    "AnnotateOptions",
    "Price",
]

TEACHERS = ("openai", "replay", "demo")
STRATEGIES = ("blind", "hinted", "star")
PROMPTS = ("task", "student")
KEEPS = ("all", "agree", "vote")

SCORINGS = ("chat", "completions")
"""APIs that return the probability of a given text: chat completions with ``prompt_logprobs``, as
vLLM has them; completions that repeat their prompt (``echo``), as llama-cpp-python's server and
vLLM have them. The server of llama.cpp itself has neither (ggml-org/llama.cpp#27174)."""

ALIKE_FAILURES = 10
"""Different requests that fail alike, before any is answered, after which a run stops."""

MAX_UNANSWERED = 20
"""Replies that hold no answer, with none before that does, after which a run stops."""

_REPLAY_FILE = "replay:"
_LENGTH_LIMITS = ("max_tokens", "max_completion_tokens")


@dataclass(frozen=True)
class Price:
    """USD per million tokens, read and written."""

    prompt: float
    completion: float

    def cost(self, prompt_tokens: float, completion_tokens: float) -> float:
        """Price so many tokens, in USD."""
        return (prompt_tokens * self.prompt + completion_tokens * self.completion) / 1e6

    @classmethod
    def parse(cls, text: str) -> Price:
        """Read ``IN,OUT``.

        Raises:
            ValueError: it is not two prices.
        """
        prompt, completion = (float(part) for part in text.split(","))
        if not (0 <= prompt < float("inf") and 0 <= completion < float("inf")):
            raise ValueError(text)
        return cls(prompt, completion)


_CHOICES: Mapping[str, tuple[str, ...]] = {
    "task": TASKS,
    "prompt": PROMPTS,
    "reading": READINGS,
    "strategy": STRATEGIES,
    "keep": KEEPS,
    "score_choices": SCORINGS,
}
_ATTRIBUTES = {"batch": "in_batches"}
_OPTIONS = {attribute: name for name, attribute in _ATTRIBUTES.items()}

ENDPOINT_ONLY = (
    *("max_cost", "in_batches", "from_batch", "top_logprobs", "score_choices"),
    *("requests_per_minute", "tokens_per_minute"),
)
"""Options that only a teacher behind an endpoint can serve."""

_FLAGS = {"timeout_seconds": "timeout", "max_wait_seconds": "max-wait"}


@dataclass(frozen=True, kw_only=True)
class AnnotateOptions:
    """How a teacher annotates records.

    Attributes:
        teacher: ``openai`` is an OpenAI-compatible endpoint; ``replay:FILE`` takes completions by
            id from a file, ``replay`` from each record's field ``completion``; ``demo`` solves the
            built-in demo's problems by rule.
        model: its name at the endpoint; for a replay, the name written to records.
        base_url: of the endpoint; None leaves it to ``OPENAI_BASE_URL``, else OpenAI's own.
        task: the task of every record, whatever its own field says; None leaves it to the record.
        reading: the least certain place that a label is read from, one of
            :data:`~mitools.schema.READINGS`. None is the last statement if gold is known,
            which shows a wrong reading, else a separate line.
        prompt: what is asked: ``task`` asks for reasons and a label, in the words of the task;
            ``student`` sends the input alone, at temperature 0, to a student of mitools that is
            served with its chat template.
        system: text of the system message; empty leaves it out, None is the task's own.
        template: path of a Jinja2 template of the user message; None is the task's own.
        examples: path of JSON Lines records with ``input``, ``label`` and ``rationale``.
        strategy: ``blind`` asks without showing the gold label; ``hinted`` shows it and asks for
            the reasons; ``star`` asks blind first and shows it for those records that missed it
            (STaR, arXiv 2203.14465).
        limit: records taken of the input, from its start; None takes all.
        samples: maximum number of completions per record.
        stop_after: number of agreeing completions after which drawing stops; None draws all.
        keep: which sample the record's label and rationale come from: the first (``all``), the
            first that agrees with gold or else the first (``agree``), or the first with the label
            of the majority (``vote``, self-consistency, arXiv 2203.11171). None is ``agree`` where
            the strategy looks for agreement, else ``all``.
        temperature: of sampling; None leaves it to the server.
        max_tokens: bound on a completion's tokens; None leaves it to the server.
        top_logprobs: number of tokens whose log-probabilities the server returns at each position;
            they become the probabilities of the answers, behind the text before the label: a
            rationale that comes first is part of it. None asks for none. OpenAI and vLLM allow at
            most 20.
        score_choices: how the choices of each answered record are scored: one of :data:`SCORINGS`.
            Each choice takes the place of the label in the teacher's reply, which takes one request
            a choice and makes their probabilities exact. None does not score them.
        chat_template: path of the model's chat template (Jinja2), for ``completions``; None joins
            the messages by blank lines, as for a base model.
        params: further fields of the request body.
        concurrency: requests in flight; four times as many records are held.
        requests_per_minute: requests that may be sent in any minute, spread evenly; repeats and
            requests that score choices count. Waiting for it counts into no other limit of time.
            None sets no limit; a server that answers 429 is obeyed in any case.
        tokens_per_minute: tokens, read and written, in any minute. Each request counts as its
            prompt and ``max_tokens`` until its answer states the usage; without ``max_tokens``, as
            much as the answers so far took on average. A request above the limit is sent alone, and
            the next one up to a minute later. None sets no limit.
        is_ordered: whether records leave in input order.
        timeout_seconds: for one request, from sending to the last byte.
        retries: repeats of one request after faults that may pass; rate limits cost none.
        max_wait_seconds: how long the server may ask to wait without an answer in between.
        max_response_bytes: bound on the unpacked body of a response.
        price: of a token; None where it is unknown.
        max_cost: USD that this run may cost; needs ``price`` and a bound on tokens.
        in_batches: whether requests are sent as batches, which the run waits for.
        from_batch: output files of a batch, whose answers enter the journal first; then the
            journal alone answers.
        journal: path of the journal of answers; None is a file of the user cache, by model.
        keeps_journal: whether there is a journal.
        is_offline: whether the journal alone answers; a record that is missing there is an error.
        on_failure: what happens to a record without an answer: ``emit`` passes it on, ``fail``
            ends the run, ``divert:FILE`` adds it to a file.
        max_error_rate: the largest share of records without an answer. None: stop when
            :data:`ALIKE_FAILURES` first requests fail alike, or :data:`MAX_UNANSWERED` first
            replies hold no answer.
        error_rate: the share of wrong answers of the demo teacher.
        seed: of the demo teacher.
    """

    teacher: str = "openai"
    model: str | None = None
    base_url: str | None = None
    task: str | None = None
    reading: str | None = None
    prompt: str = "task"
    system: str | None = None
    template: str | None = None
    examples: str | None = None
    strategy: str = "blind"
    limit: int | None = None
    samples: int = 1
    stop_after: int | None = None
    keep: str | None = None
    temperature: float | None = None
    max_tokens: int | None = None
    top_logprobs: int | None = None
    score_choices: str | None = None
    chat_template: str | None = None
    params: Mapping[str, Any] = field(default_factory=dict)
    concurrency: int = 16
    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    is_ordered: bool = True
    timeout_seconds: float = 300.0
    retries: int = 5
    max_wait_seconds: float = 600.0
    max_response_bytes: int = 16 << 20
    price: Price | None = None
    max_cost: float | None = None
    in_batches: bool = False
    from_batch: tuple[str, ...] = ()
    journal: str | None = None
    keeps_journal: bool = True
    is_offline: bool = False
    on_failure: str = "emit"
    max_error_rate: float | None = None
    error_rate: float = 0.05
    seed: int = 0

    @property
    def has_endpoint(self) -> bool:
        """Whether the teacher is one behind an endpoint."""
        return self.teacher == "openai"

    @property
    def replay_file(self) -> str | None:
        """The file of ``replay:FILE``; None for every other teacher."""
        is_file = self.teacher.startswith(_REPLAY_FILE)
        return self.teacher.removeprefix(_REPLAY_FILE) if is_file else None

    @property
    def answers_from_journal(self) -> bool:
        """Whether the journal alone answers."""
        return self.is_offline or bool(self.from_batch)

    @property
    def alike_failures(self) -> int | None:
        """Requests that may fail alike at the start, less one; None for any number."""
        return ALIKE_FAILURES if self.max_error_rate is None else None

    @property
    def max_unanswered(self) -> int | None:
        """Replies at the start that may hold no answer, less one; None for any number."""
        return MAX_UNANSWERED if self.max_error_rate is None else None

    def named_model(self) -> str:
        """Give the model's name.

        Raises:
            UsageError: there is none.
        """
        if self.model:
            return self.model
        hint = 'name it with "-m MODEL", or use "--teacher replay:FILE" or "--teacher demo"'
        raise UsageError("no teacher model", hint=hint)

    def check(self) -> None:
        """Check values and combinations, before a teacher is opened.

        Raises:
            UsageError: a value is not possible, or options do not go together.
        """
        self.check_values()
        self._check_prompt()
        if self.strategy == "star" and self.keep in ("vote", "all"):
            message = f"--strategy star shows the answer in vain where --keep is {self.keep}"
            raise UsageError(message, hint='leave out "--keep", or use "--keep agree"')
        if self.chat_template and self.score_choices != "completions":
            message = "--chat-template is for --score-choices completions"
            raise UsageError(message, hint="leave it out: a chat API applies its own template")
        if self.has_endpoint:
            self._check_journal()
            self.named_model()
            self._check_budget()
            return
        self.check_endpoint(*(_OPTIONS.get(name, name) for name in ENDPOINT_ONLY))
        if self.strategy != "blind" and self.teacher != "demo":
            message = f"--strategy {self.strategy} needs a teacher that can be shown the answer"
            raise UsageError(message, hint="replayed completions work with --strategy blind only")

    def check_front(self) -> None:
        """Refuse options that need to know all records that the teacher is asked about.

        Raises:
            UsageError: requests are sent as batches.
        """
        if self.in_batches:
            message = "--batch cannot wait for a student that answers first"
            hint = 'write the requests with "--emit-batch FILE", and later take "--from-batch FILE"'
            raise UsageError(message, hint=hint)

    def check_values(self) -> None:
        """Check each value, and the number of samples.

        Raises:
            UsageError: a value is not possible.
        """
        if self.teacher not in TEACHERS and not self.replay_file:
            hint = f"use one of {', '.join(TEACHERS)}, or {_REPLAY_FILE}FILE"
            raise UsageError(f'no teacher "{self.teacher}"', hint=hint)
        if self.on_failure not in ("emit", "fail") and not self.on_failure.startswith("divert:"):
            message = f'no way "{self.on_failure}" to handle a failure'
            raise UsageError(message, hint="use emit, fail or divert:FILE")
        for name, choices in _CHOICES.items():
            value = getattr(self, name)
            if value is not None and value not in choices:
                what = name.replace("_", " ")
                raise UsageError(f'no {what} "{value}"', hint=f"use one of {', '.join(choices)}")
        for name, within in RANGES.items():
            value = getattr(self, name)
            if value is not None and not within.holds(value):
                flag = _FLAGS.get(name, name.replace("_", "-"))
                raise UsageError(f"--{flag} must be {within}, not {value}", hint="change it")
        check_params(self.params)
        if self.stop_after is not None and self.stop_after > self.samples:
            message = f"--stop-after {self.stop_after} needs as many --samples"
            raise UsageError(message, hint=f"add --samples {2 * self.stop_after}")

    def check_endpoint(self, *names: str) -> None:
        """Refuse options that only a teacher behind an endpoint can serve.

        Args:
            names: attributes of this class, or names of actions that are asked for.

        Raises:
            UsageError: one of them is set, and the teacher is another one.
        """
        for name in names:
            attribute = _ATTRIBUTES.get(name, name)
            if getattr(self, attribute, True) and not self.has_endpoint:
                message = f"--{name.replace('_', '-')} is for a teacher behind an endpoint"
                raise UsageError(message, hint=f'leave it out, or "--teacher {self.teacher}"')

    def _check_prompt(self) -> None:
        if self.prompt != "student":
            return
        self.check_endpoint("prompt")
        if self.strategy != "blind":
            message = (
                f"--strategy {self.strategy} shows the answer, but a student reads inputs only"
            )
            raise UsageError(message, hint="leave it out, or leave out --prompt student")
        for name in ("template", "examples"):
            if getattr(self, name):
                message = f"--prompt student sends the input alone, without --{name}"
                raise UsageError(message, hint=f"leave out --{name}")

    def _check_journal(self) -> None:
        if self.in_batches:
            self._check_batches()
        if not self.keeps_journal and self.answers_from_journal:
            by = "--from-batch puts answers into" if self.from_batch else "--offline answers from"
            raise UsageError(f"{by} the journal", hint="leave out --no-journal")

    def _check_batches(self) -> None:
        if self.answers_from_journal:
            other = "--from-batch" if self.from_batch else "--offline"
            raise UsageError(f"--batch asks, and {other} does not", hint=f"leave out {other}")
        if not self.keeps_journal:
            message = "--batch notes in the journal what is in which batch"
            raise UsageError(message, hint="leave out --no-journal")
        self.check_batch_scoring()

    def check_batch_scoring(self) -> None:
        """Refuse scores that a batch cannot hold.

        Raises:
            UsageError: the choices are scored by another API than chat.
        """
        if self.score_choices == "completions":
            message = (
                "a batch holds requests of one API, so --score-choices completions cannot be in it"
            )
            raise UsageError(message, hint="use --score-choices chat")

    def _check_budget(self) -> None:
        if self.max_cost is None:
            return
        if self.price is None:
            message = "--max-cost needs the price of a token"
            raise UsageError(message, hint='add "--price IN,OUT", USD per million tokens')
        if self.max_tokens is None and not any(name in self.params for name in _LENGTH_LIMITS):
            message = "--max-cost needs to know how long an answer can be"
            raise UsageError(message, hint="add --max-tokens N")
