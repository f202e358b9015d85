"""What shows that a server cannot score a text, and the error that says so."""

from __future__ import annotations

from mitools.annotate.client.faults import Fatal, Fault, RequestRejected
from mitools.annotate.client.hints import is_about_model
from mitools.errors import TeacherError

__all__ = ["is_about_scoring", "scoring_refused"]

_NO_TOKENS = "it returns no log-probabilities of the prompt"
_HINTS = {
    "chat": "use vLLM, or try --score-choices completions, or --top-logprobs 20 without scoring",
    "completions": "try --score-choices chat, or --top-logprobs 20 without scoring; "
    'llama-cpp-python\'s server needs "--logits_all true"',
}
"""What to try next, by the API that was asked."""


def is_about_scoring(fault: Fault, api: str) -> bool:
    """Tell whether a fault of a request that scores shows that the server cannot score.

    Args:
        fault: of the request.
        api: one of :data:`~mitools.annotate.options.SCORINGS`.
    """
    if isinstance(fault, Fatal) and (fault.is_refusal or api == "chat"):
        return False  # a wrong key, or no chat API: the first question reports it
    if "logprobs" in fault.words.text:  # llama-cpp-python's server answers with status 500
        return True
    return isinstance(fault, RequestRejected | Fatal) and not is_about_model(fault)


def scoring_refused(provider: str, api: str, fault: Fault | None) -> TeacherError:
    """Make the error of a server that cannot score.

    Args:
        provider: URL of the endpoint.
        api: one of :data:`~mitools.annotate.options.SCORINGS`.
        fault: its refusal; None where it answered without the tokens of the prompt.
    """
    why = _NO_TOKENS if fault is None else fault.message
    message = f"{provider} cannot score choices by its {api} API: {why}"
    return TeacherError(message, hint=_HINTS[api])
