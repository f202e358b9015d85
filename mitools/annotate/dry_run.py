"""Estimate of calls, tokens, cost and least time before a run."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import islice

from mitools.annotate.client.budget import most_prompt_tokens, most_written_tokens
from mitools.annotate.client.rate_limit import PerMinute
from mitools.annotate.client.reply_store import ReplyStore, open_reply_store
from mitools.annotate.client.requests import Request
from mitools.annotate.conversation import Conversation
from mitools.annotate.options import AnnotateOptions, Price
from mitools.annotate.prompt import Message
from mitools.annotate.protocol import Question, Reply
from mitools.annotate.samples import readable_gold
from mitools.annotate.strategy import Strategy, converse
from mitools.gold import with_label_sets
from mitools.records import Record
from mitools.tasks import task_of

__all__ = ["Bill", "CostEstimate", "DryRun", "dry_run", "estimate_cost"]

_ENOUGH = 20  # answered records needed to extrapolate from them
_BYTES_A_TOKEN = 4.0
_TOKENS_AN_ANSWER = 100.0
_RIGHT = 0.75  # share of answers that agree with gold


@dataclass(frozen=True, slots=True)
class Bill:
    """Calls and tokens; ``completion_tokens`` is None if there is no bound."""

    calls: float
    prompt_tokens: float
    completion_tokens: float | None

    def cost(self, price: Price | None) -> float | None:
        """Return the cost in USD; None if the price or a bound is unknown."""
        if price is None or self.completion_tokens is None:
            return None
        return price.cost(self.prompt_tokens, self.completion_tokens)

    def least_seconds(self, limits: PerMinute) -> float | None:
        """Return the least time that limits per minute allow; None if it is unknown."""
        written = self.completion_tokens
        tokens = None if written is None else self.prompt_tokens + written
        return limits.least_seconds(self.calls, tokens)


@dataclass
class CostEstimate:
    """Estimate of a run.

    Attributes:
        rows: records read.
        recalled: completions found in the journal.
        open_rows: records that need further calls.
        first_open: the first question to be sent.
        basis: the basis of the expected bill, as a sentence.
        low: each record takes the fewest calls.
        expected: extrapolated from answered records, or from assumptions.
        worst: each record takes all calls and tokens that are allowed, without repeats after
            faults of the endpoint.
    """

    rows: int = 0
    recalled: int = 0
    open_rows: int = 0
    first_open: Question | None = None
    basis: str = ""
    low: Bill = field(default_factory=lambda: Bill(0, 0, 0))
    expected: Bill = field(default_factory=lambda: Bill(0, 0, 0))
    worst: Bill = field(default_factory=lambda: Bill(0, 0, 0))


@dataclass(frozen=True)
class DryRun:
    """Estimate of a run, and the first prompt that it sends.

    Attributes:
        estimate: calls and tokens.
        price: of a token; None if unknown.
        messages: the first prompt; empty if nothing is left to ask.
        rest: the same for what ``limit`` leaves out; None without a limit.
        limits: requests and tokens per minute.
    """

    estimate: CostEstimate
    price: Price | None
    messages: list[Message]
    rest: CostEstimate | None = None
    limits: PerMinute = field(default_factory=PerMinute)

    def lines(self) -> list[str]:
        """Format the estimate as a table."""
        lines = self._table(f"{self.estimate.rows:,} rows", self.estimate)
        if self.rest is not None and self.rest.rows:
            title = f"without --limit, the other {self.rest.rows:,} rows"
            lines += ["", *self._table(title, self.rest)]
        lines.append("worst: every try and token that is allowed; repeats after faults come on top")
        if self.limits.flags():
            lines.append(f"least time: at {' and '.join(self.limits.flags())}")
        if self.price is None:
            lines.append('cost: unknown; add "--price IN,OUT", USD per million tokens')
        return lines

    def _table(self, title: str, estimate: CostEstimate) -> list[str]:
        answered = estimate.rows - estimate.open_rows
        time = f"{'least time':>14}" if self.limits.flags() else ""
        lines = [
            f"{title}: {answered:,} answered by the journal ({estimate.recalled:,} completions), "
            f"{estimate.open_rows:,} to ask",
            "",
            f"{'':10}{'calls':>12}{'prompt':>14}{'completion':>14}{'cost':>14}{time}",
        ]
        for name in ("low", "expected", "worst"):
            lines.append(f"{name:10}{self._bill_line(getattr(estimate, name))}")
        return [*lines, "", f"expected: {estimate.basis}"]

    def _bill_line(self, bill: Bill) -> str:
        cost = bill.cost(self.price)
        written = "no limit" if bill.completion_tokens is None else f"{bill.completion_tokens:,.0f}"
        shown = "unknown" if cost is None else f"${cost:,.4f}"
        time = ""
        if self.limits.flags():
            time = f"{_duration(bill.least_seconds(self.limits)):>14}"
        return f"{bill.calls:>12,.0f}{bill.prompt_tokens:>14,.0f}{written:>14}{shown:>14}{time}"


def _duration(seconds: float | None) -> str:
    """Write a time in the largest unit of which it has at least two."""
    if seconds is None:
        return "unknown"
    units = (("days", 86_400), ("h", 3600), ("min", 60))
    unit, size = next((unit for unit in units if seconds >= 2 * unit[1]), ("s", 1))
    return f"{seconds / size:.3g} {unit}"


def dry_run(
    records: Iterable[Record],
    options: AnnotateOptions,
    may_ask: Callable[[Record], bool] | None = None,
) -> DryRun:
    """Estimate what a run with these options costs; nothing is sent, and no journal is made.

    Args:
        records: as for :func:`~mitools.annotate.annotate_records.annotate_records`.
        options: of the run.
        may_ask: whether the teacher may be asked about a record; others count as read, but not as
            rows. Without it, it may be asked about all.

    Raises:
        UsageError: the teacher is not one behind an endpoint, or no model is named.
        SourceError: the journal or a file of the prompt cannot be read.
        DataError: a record is not valid.
    """
    options.check_values()
    options.check_endpoint("dry_run")
    with open_reply_store(options) as store:
        labelled = with_label_sets(records, options.task)
        seen, strategy = _Seen(), Strategy.of(options)
        first = filter(may_ask, islice(labelled, options.limit))
        estimate = estimate_cost(first, store, strategy, options.task, seen)
        rest: CostEstimate | None = None
        if options.limit is not None:  # extrapolated from the answers to the first ones, if any
            rest = estimate_cost(filter(may_ask, labelled), store, strategy, options.task, seen)
        messages: list[Message] = []
        if estimate.first_open is not None:
            messages = list(store.requests.make(estimate.first_open).body["messages"])
    return DryRun(estimate, options.price, messages, rest, PerMinute.of(options))


def estimate_cost(
    records: Iterable[Record],
    store: ReplyStore,
    strategy: Strategy,
    task: str | None,
    seen: _Seen | None = None,
) -> CostEstimate:
    """Read the records and add up calls and tokens; nothing is sent.

    Args:
        seen: sums over answered records to extrapolate from; those of these records are added.
    """
    result, need = CostEstimate(), _Need()
    seen = _Seen() if seen is None else seen
    for record in records:
        result.rows += 1
        log = _Log(store)
        its_task = task_of(record, task)
        dialogue = converse(record, its_task, strategy, log.RESAMPLES)
        # Go as far as the journal's replies go; what is missing then has to be asked.
        conversation = Conversation(dialogue, log.recall)
        result.recalled += len(log.known)
        if conversation.answered is not None:
            seen.add(log)
        else:
            # The longest request bounds each further call of this record.
            result.open_rows += 1
            result.first_open = result.first_open or conversation.open[0]
            longest = list(log.missing)
            gold = readable_gold(record, its_task)
            if strategy.name == "star" and gold is not None:
                hinted = Question(record, its_task, hint=gold)
                longest.append(store.requests.make(hinted))
            most = strategy.most_calls(log.RESAMPLES, has_gold=gold is not None)
            scored = len(record["choices"]) if strategy.scores(record, its_task) else 0
            need.add(log, most + scored, longest)
            need.scored += 0 if any(one.is_scoring for one in log.missing) else scored
    _fill(result, seen, need, strategy)
    return result


class _Log:
    """One record's requests: those that the journal answers, and the others."""

    RESAMPLES = 1

    def __init__(self, store: ReplyStore) -> None:
        self._store = store
        self.known: list[tuple[Request, Reply]] = []
        self.missing: list[Request] = []

    def recall(self, question: Question) -> Reply | None:
        request = self._store.requests.make(question)
        reply = self._store.find(question, request)
        if reply is None:
            self.missing.append(request)
        else:
            self.known.append((request, reply))
        return reply


@dataclass
class _Seen:
    """Sums over the records that the journal answers completely."""

    rows: int = 0
    calls: int = 0
    counted_calls: int = 0
    prompt_bound: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0

    def add(self, log: _Log) -> None:
        self.rows += 1
        self.calls += len(log.known)
        for request, reply in log.known:
            usage = reply.usage or {}
            if {"prompt_tokens", "completion_tokens"} <= usage.keys():
                self.counted_calls += 1
                self.prompt_bound += most_prompt_tokens(request)
                self.prompt_tokens += usage["prompt_tokens"]
                self.completion_tokens += usage["completion_tokens"]

    @property
    def is_enough(self) -> bool:
        return self.rows >= _ENOUGH and self.counted_calls >= _ENOUGH


@dataclass
class _Need:
    """Sums over the records that need further calls."""

    rows: int = 0
    known_calls: int = 0
    fewest_calls: int = 0
    most_calls: int = 0
    prompt_bound: int = 0  # of the fewest calls
    most_prompt_bound: int = 0
    most_completion: int | None = 0
    scored: int = 0  # requests for the probability of a choice, beside the fewest calls

    def add(self, log: _Log, most_calls: int, longest: Sequence[Request]) -> None:
        self.rows += 1
        self.known_calls += len(log.known)
        self.fewest_calls += len(log.missing)
        further = max(len(log.missing), most_calls - len(log.known))
        self.most_calls += further
        self.prompt_bound += sum(most_prompt_tokens(request) for request in log.missing)
        bound = max(most_prompt_tokens(request) for request in longest)
        self.most_prompt_bound += further * bound
        written = most_written_tokens(log.missing[0])
        if written is None or self.most_completion is None:
            self.most_completion = None
        else:
            self.most_completion += further * written


def _fill(result: CostEstimate, seen: _Seen, need: _Need, strategy: Strategy) -> None:
    if seen.is_enough:
        share = seen.prompt_tokens / seen.prompt_bound
        answer = seen.completion_tokens / seen.counted_calls
        calls = seen.calls / seen.rows
        result.basis = f"as the {seen.rows:,} records that the journal answers"
    else:
        share, answer = 1 / _BYTES_A_TOKEN, _TOKENS_AN_ANSWER
        calls = strategy.expected_calls(_RIGHT)
        result.basis = (
            f"assumed, as the journal answers fewer than {_ENOUGH} records: "
            f"{_BYTES_A_TOKEN:g} bytes a token, {answer:g} tokens an answer, {_RIGHT:.0%} right"
        )
    fewest = need.fewest_calls
    expected = max(float(fewest), calls * need.rows - need.known_calls)
    scored = 0 if seen.is_enough else need.scored  # one token each; in what was seen otherwise
    prompt = share * need.prompt_bound
    result.low = Bill(fewest, prompt, answer * fewest)
    written = answer * expected + scored
    growth = (expected + scored) / fewest if fewest else 1.0
    result.expected = Bill(expected + scored, prompt * growth, written)
    result.worst = Bill(need.most_calls, need.most_prompt_bound, need.most_completion)
