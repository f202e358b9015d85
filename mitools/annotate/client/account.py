"""The account at an endpoint: its key and its headers, from the environment and the URL.

The openai package provides them. No network access.
"""

from __future__ import annotations

import base64
import os

import httpx2
import openai

from mitools import __version__
from mitools.annotate.client.base_url import BaseUrl
from mitools.annotate.client.requests import OPENAI_HOST
from mitools.errors import TeacherError, TeacherRefusedError

__all__ = ["account_headers", "account_of", "basic_login"]


def account_of(url: BaseUrl, http: httpx2.AsyncClient) -> openai.AsyncOpenAI:
    """Make the SDK's client from the environment; servers other than OpenAI's need no key."""
    key = os.environ.get("OPENAI_API_KEY") or ("none" if url.host != OPENAI_HOST else None)
    if key is not None and not (key.isascii() and key.isprintable()):
        message = "OPENAI_API_KEY holds a character that no HTTP header can"
        raise TeacherRefusedError(message, hint='copy the key again: "export OPENAI_API_KEY=…"')
    try:
        return openai.AsyncOpenAI(api_key=key, base_url=url.root, http_client=http)
    except openai.OpenAIError as exc:
        raise TeacherRefusedError(
            "no API key",
            hint='type "export OPENAI_API_KEY=…", or name a server of your own with --base-url',
        ) from exc


def basic_login(user: str, password: str) -> str:
    return f"Basic {base64.b64encode(f'{user}:{password}'.encode()).decode()}"


def account_headers(account: openai.AsyncOpenAI, url: BaseUrl) -> dict[str, str]:
    """Return the account's headers, without those that describe the SDK's requests."""
    every = {**account.default_headers, **account.auth_headers}
    kept = {
        name: value
        for name, value in every.items()
        if isinstance(value, str) and not name.startswith("X-Stainless-")
    }
    if url.user is not None:  # a login in the URL overrides the environment
        kept["Authorization"] = basic_login(url.user, url.password)
    elif "api-version=" in url.query:  # Azure's name for the key
        kept["api-key"] = account.api_key
    if not all(value.isascii() and value.isprintable() for value in kept.values()):
        message = "a header of the account holds a character that no HTTP header can"
        hint = "check OPENAI_ORG_ID, OPENAI_PROJECT_ID and OPENAI_CUSTOM_HEADERS"
        raise TeacherError(message, hint=hint)
    return kept | {"User-Agent": f"mitools/{__version__}"}
