"""The summary of a finished run: counts, cost, and the first records without an answer."""

from __future__ import annotations

from collections.abc import Iterator

from mitools.annotate.client.budget import Budget
from mitools.annotate.options import AnnotateOptions
from mitools.annotate.prompt import Prompts
from mitools.annotate.run import AnnotationRun
from mitools.annotate.tally import Tally
from mitools.annotate.unanswered import reason_of

__all__ = ["overspending", "progress_figures", "run_lines", "unanswered_lines"]

_PROMPT_CHARACTERS = 2000


def progress_figures(tally: Tally, budget: Budget | None) -> list[str]:
    """Return the figures so far, the most important first: what progress shows beside the count."""
    figures = []
    if tally.with_gold:
        figures.append(f"{tally.agreeing / tally.with_gold:.1%} agree with gold")
    if tally.by_student:
        figures.append(f"{tally.by_student:,} by the student")
    figures.append(f"{tally.failed.total():,} failed")
    if budget is not None:
        limit = "" if budget.limit is None else f" of ${budget.limit:,.2f}"
        figures.append(f"${budget.spent:,.4f}{limit}")
    if tally.spent:
        read, written = tally.spent["prompt_tokens"], tally.spent["completion_tokens"]
        figures.append(f"{_short(read)} + {_short(written)} tokens")
    if tally.recalled:
        figures.append(f"{tally.recalled:,} from the journal")
    return figures


def _short(count: int) -> str:
    """Write a count in at most five characters: ``950``, ``12.3k``, ``4.5M``."""
    for size, unit in ((1e6, "M"), (1e3, "k")):
        if count >= size:
            return (
                f"{count / size:.3g}{unit}" if count < 1000 * size else f"{count / size:.0f}{unit}"
            )
    return str(count)


def run_lines(run: AnnotationRun, budget: Budget | None, rejected: int) -> list[str]:
    """Summarize a run in a few lines; empty if nothing was asked, spent or rejected.

    Args:
        rejected: invalid lines of the input.
    """
    is_paid = budget is not None and budget.spent > 0
    is_routed = run.tally.by_student or run.tally.passed
    if not (run.tally.replies or rejected or is_paid or is_routed):
        return []
    return [*run.tally.lines(rejected), *(budget.lines() if budget is not None else ())]


def overspending(budget: Budget | None) -> str | None:
    """Return a warning if the cost exceeds the limit, else None."""
    if budget is None or budget.limit is None or budget.spent <= budget.limit:
        return None
    return (
        f"${budget.spent - budget.limit:,.4f} over --max-cost: it was under way when the "
        "server first took more tokens than it was asked for"
    )


def unanswered_lines(run: AnnotationRun, options: AnnotateOptions) -> Iterator[str]:
    """Yield why the first records have no answer; nothing if any record has one.

    Before an unreadable answer stands the prompt that led to it.
    """
    examples = run.unanswered.examples
    if not examples or run.tally.answered > run.tally.by_student:
        return
    if options.has_endpoint and examples[0]["teacher"]["error"]["kind"] == "unreadable":
        for message in Prompts(options).first_messages(examples[0]):
            yield f"prompt, {message['role']}: {message['content'][:_PROMPT_CHARACTERS]}"
    yield from map(reason_of, examples)
