"""The values of a field by which figures are told apart, and the search for fields that exist.

A value is named as JSON writes it, a text without its quotes: the number 3 and the text "3" are one
value. Nothing is counted here.
"""

from __future__ import annotations

import difflib
import hashlib
import json
import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from mitools.errors import InvalidFieldError, MissingFieldError
from mitools.records import Record, Reject
from mitools.schema import get_path, json_type

__all__ = ["LONGEST", "MISSING", "OTHERS", "FieldSearch", "value_name", "watch_fields"]

MISSING = "(missing)"
"""Name of the records without the field, or with null in it."""

OTHERS = "(other values)"
"""Name of the rarer values together."""

LONGEST = 100
"""Characters of a name; a longer value is shortened, and a hash keeps it apart from others."""

_DIGITS = 8
_EARLY = 100
"""Records after which a field without any value is warned about: before most are answered."""

_MOST_NAMES = 1_000
_MOST_LISTED = 12
_DEEPEST = 4
_ADDED = ("student.", "scores.")


def value_name(record: Record, field: str) -> str:
    """Name the value of a field.

    Args:
        record: the record.
        field: the name of a field, or a dotted path.

    Raises:
        InvalidFieldError: the value is a list or an object.
    """
    value = _value_of(record, field)
    if value is None:
        return MISSING
    if isinstance(value, list | Mapping):
        message = (
            f'record "{record.get("id")}": --by needs a text, a number or a boolean, and field '
            f'"{field}" holds {json_type(value)}'
        )
        raise InvalidFieldError(message, hint=_hint_within(field, value))
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        value = int(value)
    name = value if isinstance(value, str) else json.dumps(value)
    # JSON can write half of a surrogate pair, which a summary in UTF-8 cannot hold.
    name = name.encode("utf-8", "backslashreplace").decode()
    return _shortened(json.dumps(name) if name in (MISSING, OTHERS) else name)


def _value_of(record: Record, field: str) -> Any:
    """Look up a field; a name with dots in it, as columns of tables may have, comes first."""
    return record[field] if field in record else get_path(record, field)


def _hint_within(field: str, value: Any) -> str:
    inner = next(_names_in(value), None) if isinstance(value, Mapping) else None
    if inner is None:
        return "name another field with --by"
    return f'name a field in it: "--by {shlex.quote(f"{field}.{inner}")}"'


def _shortened(name: str) -> str:
    if len(name) <= LONGEST:
        return name
    digest = hashlib.blake2b(name.encode(), digest_size=_DIGITS // 2).hexdigest()
    return f"{name[: LONGEST - _DIGITS - 1]}…{digest}"


def _names_in(values: Mapping[str, Any], depth: int = 1) -> Iterator[str]:
    """Yield the names of the fields that --by takes, as dotted paths."""
    for name, value in values.items():
        if isinstance(value, Mapping):
            if depth < _DEEPEST and "." not in name and name != "choices":
                yield from (f"{name}.{inner}" for inner in _names_in(value, depth + 1))
        elif value is not None and not isinstance(value, list) and (depth == 1 or "." not in name):
            yield name


class FieldSearch:
    """Looks for fields in records, and remembers which other fields these have.

    Attributes:
        unseen: the fields without any value so far.
    """

    def __init__(self, fields: Iterable[str]) -> None:
        self.unseen = dict.fromkeys(fields)
        self._known: dict[str, None] = {}

    def add(self, record: Record) -> None:
        """Look at a record; nothing is done once every field has had a value."""
        if not self.unseen:
            return
        for field in [one for one in self.unseen if _value_of(record, one) is not None]:
            del self.unseen[field]
        if self.unseen and len(self._known) < _MOST_NAMES:
            self._known |= dict.fromkeys(_names_in(record))

    def hint(self, field: str) -> str:
        """Say which close fields there are, or else which fields there are."""
        if close := _close(field, [*self._known]):
            named = " or ".join(f'"--by {shlex.quote(_shortened(name))}"' for name in close)
            return f"did you mean {named}?"
        listed = [_shortened(name) for name in self._known][:_MOST_LISTED]
        more = ", …" if len(self._known) > len(listed) else ""
        return f"the records have {', '.join(listed)}{more}"

    def error(self) -> MissingFieldError | None:
        """Return the error about the first field that no record has; None if there is none."""
        for field in self.unseen:
            message = f'--by: no record has a value in field "{field}"'
            return MissingFieldError(message, hint=self.hint(field))
        return None


def _close(field: str, known: Sequence[str]) -> list[str]:
    """List fields with a similar name, and those whose last part has one."""
    last = field.rpartition(".")[2]
    lasts = {name: name.rpartition(".")[2] for name in known}
    similar = difflib.get_close_matches(last, {*lasts.values()}, n=3, cutoff=0.7)
    found = difflib.get_close_matches(field, known, n=3, cutoff=0.7)
    found += [name for part in similar for name in known if lasts[name] == part]
    return [*dict.fromkeys(found)][:3]


def watch_fields(
    records: Iterable[Record],
    fields: Sequence[str],
    reject: Reject,
    warn: Callable[[str], None],
) -> Iterator[Record]:
    """Yield records whose values can be told apart, before a student is asked about them.

    Args:
        records: as they are read.
        fields: names of fields, or dotted paths. Those that are added later, such as
            ``scores.sure``, are not missed here.
        reject: called with each record whose value is a list or an object.
        warn: receives a sentence about each field that the first records do not have.
    """
    search = FieldSearch(field for field in fields if not field.startswith(_ADDED))
    for count, record in enumerate(records, 1):
        try:
            for field in fields:
                value_name(record, field)
        except InvalidFieldError as exc:
            reject(record, exc)
            continue
        search.add(record)
        if count == _EARLY:
            for field in search.unseen:
                missed = f'--by: none of the first {_EARLY} records has a value in field "{field}"'
                warn(f"{missed}; {search.hint(field)}")
        yield record
