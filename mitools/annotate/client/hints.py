"""Hints for a fault of every request: which option or variable to change."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mitools.annotate.client.base_url import BaseUrl
from mitools.annotate.client.faults import Fatal, Fault, TooLarge

__all__ = ["Advice", "advise", "is_about_model", "is_about_settings"]

_KEY = re.compile(r"\b(?:api|access|secret)[ _-]?key\b|\bauthoriz|\bcredential", re.IGNORECASE)
_OPTIONS = {
    "temperature": "--temperature",
    "logprobs": "--top-logprobs",
    "top_logprobs": "--top-logprobs",
}
_LIMITS = ("max_tokens", "max_completion_tokens", "max_output_tokens")
_UNKNOWN = r"not (?:found|exist|available|supported|valid)|no such|invalid|unknown|does not|doesn't"
_MODEL = re.compile(rf"\bmodel\b.{{0,200}}?(?:{_UNKNOWN})|(?:{_UNKNOWN}) model\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Advice:
    """Advice on a fault of every request.

    Attributes:
        hint: what to type next; empty if only the server's message helps.
        is_refusal: whether it is about key, quota or permission.
        is_about_model: whether the list of models helps.
    """

    hint: str = ""
    is_refusal: bool = False
    is_about_model: bool = False


def is_about_settings(fault: Fault, settings: Mapping[str, Any]) -> bool:
    """Tell by OpenAI's codes whether the server refuses a field of every request."""
    words = fault.words
    return words.param in settings and words.code.startswith("unsupported_")


def is_about_model(fault: Fault) -> bool:
    """Tell whether the server says that it does not have the model."""
    return fault.words.code == "model_not_found" or bool(_MODEL.search(fault.words.text))


def advise(fault: Fault, settings: Mapping[str, Any], url: BaseUrl) -> Advice:
    """Choose the advice for a fault.

    Args:
        fault: the fault of every request.
        settings: fields of the request body beside model and messages.
        url: the endpoint.
    """
    words = fault.words
    text = f"{words.text} {words.param}".lower()
    if isinstance(fault, TooLarge):
        return Advice("raise --max-response-bytes, or check --base-url")
    if isinstance(fault, Fatal) and fault.status == 403:  # OpenAI's reasoning models
        named = {name: settings[name] for name in (*_OPTIONS, *_LIMITS) if name in settings}
        if (setting := _refused_setting(text, named)) is not None:
            return Advice(setting)
    if isinstance(fault, Fatal) and fault.is_refusal:
        hint = "check OPENAI_API_KEY, and the account's credit and permissions"
        if words.form == "page":
            hint = "the refusal is a web page: check --base-url and proxies"
        return Advice(hint, is_refusal=True)
    if (setting := _refused_setting(text, settings)) is not None:
        return Advice(setting)
    if is_about_model(fault):
        return Advice("check -m", is_about_model=True)
    if _KEY.search(words.text):
        return Advice("check OPENAI_API_KEY", is_refusal=True)
    if words.form == "page" or (isinstance(fault, Fatal) and fault.status in (404, 405)):
        return Advice(_about_url(url), is_about_model=isinstance(fault, Fatal))
    if isinstance(fault, Fatal):
        return Advice("check --base-url, and the certificates of this machine")
    return Advice()


def _refused_setting(text: str, settings: Mapping[str, Any]) -> str | None:
    """Find the setting that the server refuses; returns how to change it."""
    for name in sorted(settings, key=len, reverse=True):
        if not re.search(rf"(?<![a-z_]){re.escape(name.lower())}(?![a-z_])", text):
            continue
        if name in _LIMITS:
            other = next((limit for limit in _LIMITS if limit in text and limit != name), None)
            if other is not None:
                value = settings[name]
                return f'type "--param {other}={value}" in place of --max-tokens'
            return "change --max-tokens, or leave it out"
        option = _OPTIONS.get(name, f'"--param {name}=…"')
        return f"leave {option} out, or change it"
    return None


def _about_url(url: BaseUrl) -> str:
    if re.search(r"/v\d", url.root):
        return f"check --base-url: requests went to {url.root}/chat/completions"
    return f'check --base-url; most endpoints end in "/v1": try "--base-url {url.root}/v1"'
