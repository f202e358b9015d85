"""The Batch API of an endpoint: files go up, batches are made and watched, results come down.

Through the client of the openai package, which retries by itself: these are few requests
(https://platform.openai.com/docs/api-reference/batch). Only the making of a batch is not repeated,
as it would be paid for twice where just the answer was lost: the caller looks for the batch first.
What a server sends is checked here, as the package does not check it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import httpx2
import openai

from mitools.annotate.client.account import account_headers, account_of
from mitools.annotate.client.faults import Busy, Fatal, Secrets, sort_status
from mitools.annotate.client.hints import advise
from mitools.annotate.client.requests import Requests
from mitools.annotate.client.server_words import short_line, words_in
from mitools.errors import MitoolsError, OutputError, TeacherError, TeacherRefusedError

__all__ = ["BatchApi", "BatchState", "NoListError", "PassingError", "UnclearError"]

_ENDED = ("completed", "failed", "expired", "cancelled")
_UNKNOWN_STATUS = "not stated"
_UPLOAD_SECONDS = 600.0
_PIECE_BYTES = 1 << 20
_MOST_LISTED = 200  # batches that are looked through for one that was made and not noted

# What services say where the account may have no more requests waiting.
_LIMIT_CODES = ("token_limit_exceeded", "rate_limit_exceeded", "request_limit_exceeded")

_Result = TypeVar("_Result")


class PassingError(TeacherError):
    """The endpoint cannot be reached or is not well; trying again later may help.

    Attributes:
        wait_seconds: how long the server asks to wait; 0 if it does not say.
    """

    wait_seconds = 0.0


class UnclearError(PassingError):
    """The answer is a success that cannot be read: what was asked for is probably done."""


class NoListError(TeacherError):
    """The endpoint does not list its batches."""


@dataclass(frozen=True, slots=True)
class BatchState:
    """What an endpoint says of one batch.

    Attributes:
        name: its id.
        status: ``validating``, ``in_progress``, ``completed``, ``failed``, …
        done: number of requests that are answered or have failed.
        result_files: ids of the files of answers and of failures.
        problem: why it failed, in the server's words; empty if it did not.
        is_over_limit: whether it failed because too many requests are waiting already.
    """

    name: str
    status: str
    done: int = 0
    result_files: tuple[str, ...] = ()
    problem: str = ""
    is_over_limit: bool = False

    @property
    def has_ended(self) -> bool:
        return self.status in _ENDED

    @classmethod
    def of(cls, answer: Any) -> BatchState:
        """Read a batch object; fields of another type than is stated count as absent."""
        fields = answer.model_dump(warnings=False) if isinstance(answer, openai.BaseModel) else {}
        counts = fields.get("request_counts")
        counts = counts if isinstance(counts, Mapping) else {}
        done = [counts.get(name) for name in ("completed", "failed")]
        files = [fields.get(name) for name in ("output_file_id", "error_file_id")]
        errors = fields.get("errors")
        listed = errors.get("data") if isinstance(errors, Mapping) else None
        first = listed[0] if isinstance(listed, list) and listed else errors
        words = words_in(first)
        return cls(
            name=_text(fields.get("id")),
            status=_text(fields.get("status")) or _UNKNOWN_STATUS,
            done=sum(count for count in done if type(count) is int and count > 0),
            result_files=tuple(filter(None, map(_text, files))),
            problem=": ".join(filter(None, (words.code, words.text))),
            is_over_limit=words.code in _LIMIT_CODES,
        )


def _text(value: Any) -> str:
    return short_line(value, 200) if isinstance(value, str) else ""


class BatchApi:
    """The Batch API of one endpoint. Calls block; they belong to one thread."""

    def __init__(self, requests: Requests) -> None:
        """Make the client; nothing is sent yet.

        Args:
            requests: the endpoint's URL, the model, and the options.

        Raises:
            TeacherRefusedError: the API key is missing.
            TeacherError: the environment makes no HTTP client.
        """
        self._requests = requests
        self._provider = requests.provider
        url = requests.url
        try:
            tls = httpx2.create_ssl_context()  # made once, as it takes long
            account = account_of(url, httpx2.AsyncClient(verify=tls, trust_env=False))
            headers = account_headers(account, url)
            for name in ("Accept", "Content-Type"):  # an upload has its own
                headers.pop(name, None)
            self._client = openai.OpenAI(
                api_key=account.api_key,
                base_url=url.root,
                default_headers=headers,
                default_query=dict(httpx2.QueryParams(url.query)),
                max_retries=requests.options.retries,
                timeout=requests.options.timeout_seconds,
                http_client=openai.DefaultHttpxClient(verify=tls),
            )
        except (ValueError, OSError, ImportError, httpx2.InvalidURL) as exc:
            message = f"cannot make an HTTP client for {url.root}: {short_line(str(exc))}"
            hint = "check the variables HTTPS_PROXY, ALL_PROXY and SSL_CERT_FILE, and --base-url"
            raise TeacherError(message, hint=hint) from exc
        login = headers["Authorization"].partition(" ")[2]
        self._secrets = Secrets([account.api_key, login, *url.secrets])

    def close(self) -> None:
        self._client.close()

    def upload(self, path: Path) -> str:
        """Send a file of requests; returns its id. A file that is sent twice costs nothing.

        Raises:
            TeacherError: the endpoint refuses it, or has no Batch API.
        """
        made = self._call(
            lambda: self._client.files.create(file=path, purpose="batch", timeout=_UPLOAD_SECONDS)
        )
        return self._named(getattr(made, "id", None), "file")

    def create(self, file: str) -> BatchState:
        """Make a batch of an uploaded file; it is asked for once.

        Raises:
            PassingError: the endpoint cannot be reached at the moment, or its answer was lost, so
                that the batch may be made.
            TeacherError: the endpoint refuses it.
        """
        batches = self._client.with_options(max_retries=0).batches
        try:
            made = self._call(
                lambda: batches.create(
                    input_file_id=file, endpoint="/v1/chat/completions", completion_window="24h"
                )
            )
            state = BatchState.of(made)
            self._named(state.name, "batch")
        except TeacherError as exc:
            if isinstance(exc, PassingError) or isinstance(exc.__cause__, openai.APIStatusError):
                raise
            hint = "check --base-url; the same command looks for the batch before it makes one"
            raise UnclearError(exc.message, hint=hint) from exc
        return state

    def find(self, file: str) -> BatchState | None:
        """Look for the batch of an uploaded file; None if none is listed.

        Raises:
            PassingError: the endpoint cannot be reached at the moment.
            NoListError: it does not list its batches.
        """

        def search() -> BatchState | None:
            for number, batch in enumerate(self._client.batches.list(limit=100)):
                if getattr(batch, "input_file_id", None) == file:
                    return BatchState.of(batch)
                if number >= _MOST_LISTED:
                    break
            return None

        try:
            return self._call(search)
        except PassingError:
            raise
        except TeacherError as exc:  # not every Batch API has a list
            raise NoListError(exc.message, hint=exc.hint) from exc

    def state(self, name: str) -> BatchState:
        """Ask how far a batch is.

        Raises:
            PassingError: the endpoint cannot be reached at the moment.
            TeacherError: it does not know the batch.
        """
        try:
            answer = self._call(lambda: self._client.batches.retrieve(name))
        except TeacherError as exc:
            if not isinstance(exc.__cause__, openai.NotFoundError):
                raise
            hint = (
                "use the API key that the batch was made with; to send its requests again, name "
                'another file with "--journal"'
            )
            raise TeacherError(f"batch {name}: {exc.message}", hint=hint) from exc
        return replace(BatchState.of(answer), name=name)

    def download(self, file: str, path: Path, most_bytes: int) -> None:
        """Write a file of results to a path.

        Raises:
            TeacherError: the file cannot be read, or is larger than allowed.
            OutputError: the path cannot be written.
        """

        def fetch() -> None:
            size = 0
            with self._client.files.with_streaming_response.content(file) as response:
                try:
                    with path.open("wb") as out:
                        for piece in response.iter_bytes(_PIECE_BYTES):
                            size += len(piece)
                            if size > most_bytes:
                                message = f"{self._provider}: file {file} is larger than allowed"
                                raise TeacherError(message, hint="raise --max-response-bytes")
                            out.write(piece)
                except OSError as exc:
                    hint = "free some space, or set TMPDIR, and run it again"
                    raise OutputError(f"{path}: {exc.strerror or exc}", hint=hint) from exc

        self._call(fetch)

    def _named(self, name: Any, what: str) -> str:
        if isinstance(name, str) and name.isprintable() and 0 < len(name) <= 200:
            return name
        message = f"{self._provider} has made no {what}: its answer holds no id"
        raise TeacherError(message, hint="check --base-url")

    def _call(self, action: Callable[[], _Result]) -> _Result:
        """Turn the package's errors into those of the teacher."""
        try:
            return action()
        except MitoolsError:
            raise
        except openai.APIStatusError as exc:
            raise self._refused(exc) from exc
        except (openai.APIConnectionError, httpx2.HTTPError, httpx2.StreamError) as exc:
            cause = self._secrets.hide(str(exc.__cause__ or exc) or type(exc).__name__)
            hint = "check --base-url, and the network; then run the same command again"
            raise PassingError(f"cannot reach {self._provider}: {cause}", hint=hint) from exc
        except (openai.OpenAIError, ValueError, LookupError, TypeError, AttributeError) as exc:
            said = self._secrets.hide(f"{type(exc).__name__}: {exc}")
            message = f"{self._provider} sends what is not an answer of the Batch API: {said}"
            raise TeacherError(message, hint="check --base-url") from exc

    def _refused(self, exc: openai.APIStatusError) -> TeacherError:
        response = exc.response
        fault = sort_status(
            response.status_code,
            response.reason_phrase,
            response.headers,
            _body(exc),
            self._secrets,
        )
        message = f"{self._provider}: {fault.message}"
        if isinstance(fault, Fatal) and not fault.is_refusal:
            hint = (
                "leave out --batch if the endpoint has no Batch API, or write the requests with "
                '"--emit-batch FILE"'
            )
            return TeacherError(message, hint=hint)
        if fault.kind in ("rate_limit", "server_error"):
            passing = PassingError(message, hint="run the same command again later")
            if isinstance(fault, Busy):
                passing.wait_seconds = fault.wait_seconds or 0.0
            return passing
        advice = advise(fault, self._requests.settings, self._requests.url)
        kind = TeacherRefusedError if advice.is_refusal else TeacherError
        return kind(message, hint=advice.hint)


def _body(exc: openai.APIStatusError) -> str:
    try:
        return exc.response.text
    except httpx2.StreamError:  # of a download, which was not read
        return ""
