"""Shell completion: the values that options and arguments offer, and the script for bash.

Completion reads names of files and folders and the lists of installed files, never their content,
except for a recipe that the command line names. It imports no package that is slow to import.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import click
from click.shell_completion import BashComplete, CompletionItem, add_completion_class
from click.shell_completion import split_arg_string as split_words

from mitools.recipe import list_recipes

__all__ = [
    "SCRATCH_SIZES",
    "SHELLS",
    "complete_from",
    "complete_models",
    "complete_recipes",
    "complete_sources",
    "complete_students",
    "described",
    "files_and",
]

SHELLS = ("bash", "zsh", "fish")
SCRATCH_SIZES = ("tiny", "small", "base")

_MOST_FOLDERS = 500
_OF_STUDENTS = ("mitools.json",)
_OF_MODELS = ("mitools.json", "config.json")

Items = list[CompletionItem[str]]
Completer = Callable[[click.Context, click.Parameter, str], Items]


def files_and(words: Iterable[str], incomplete: str) -> Items:
    """Offer the words that begin as the incomplete one does, and files."""
    found = [CompletionItem(word) for word in words if word.startswith(incomplete)]
    return [*found, CompletionItem(incomplete, type="file")]


def described(words: Mapping[str, str], incomplete: str) -> Items:
    """Offer words with their descriptions."""
    return [
        CompletionItem(word, help=text)
        for word, text in words.items()
        if word.startswith(incomplete)
    ]


def complete_from(words: Iterable[str]) -> Completer:
    """Make a completer that offers some words."""

    def complete(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> Items:
        return [CompletionItem(word) for word in words if word.startswith(incomplete)]

    return complete


def complete_recipes(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> Items:
    """Offer the recipes that came with mitools, and files."""
    return files_and(list_recipes(), incomplete)


def complete_sources(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> Items:
    """Offer what ``mitools load`` reads."""
    return files_and([*list_recipes(), "demo", "hf:"], incomplete)


def complete_students(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> Items:
    """Offer the folders of trained students; any folder if there are none."""
    found = _folders_with(_OF_STUDENTS, incomplete)
    return [CompletionItem(word) for word in found] or [CompletionItem(incomplete, type="dir")]


def complete_models(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> Items:
    """Offer base models: new ones, those in packages, in the Hub's cache and in folders.

    Files are offered where none of them begins as the word does.
    """
    from mitools.student.base.packages import PREFIX, list_packaged_models

    words = ["scratch", *(f"scratch:{size}" for size in SCRATCH_SIZES), "encoder:"]
    models = [PREFIX + name for name in list_packaged_models()] + sorted(_in_cache_of_hub())
    prefix, place = "", incomplete
    if incomplete.startswith("encoder:"):
        prefix, words = "encoder:", []
        place = incomplete.removeprefix(prefix)
    models += _folders_with(_OF_MODELS, place)
    offered = [*words, *(prefix + model for model in models)]
    found = [CompletionItem(word) for word in offered if word.startswith(incomplete)]
    return found or [CompletionItem(incomplete, type="file")]


def _folders_with(files: Iterable[str], incomplete: str) -> list[str]:
    """List folders that hold one of some files, beside what was typed and one level below."""
    parent, start = os.path.split(incomplete)
    found = []
    for folder in _subfolders(Path(parent), start):
        for place in (folder, *_subfolders(folder, "")):
            if any((place / file).is_file() for file in files):
                found.append(os.path.join(parent, place.relative_to(parent or ".")))
    return found


def _subfolders(folder: Path, start: str) -> Iterator[Path]:
    """Yield the folders in a folder whose names have this start; none if it cannot be read."""
    names = []
    try:
        with os.scandir(os.path.expanduser(folder)) as entries:
            for _, entry in zip(range(_MOST_FOLDERS), entries, strict=False):
                is_shown = start.startswith(".") or not entry.name.startswith(".")
                if is_shown and entry.name.startswith(start) and entry.is_dir():
                    names.append(entry.name)
    except OSError:
        return
    yield from (folder / name for name in sorted(names))


def _in_cache_of_hub() -> list[str]:
    """Name the models that the Hugging Face Hub's cache holds."""
    cache = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    home = os.environ.get("HF_HOME") or os.path.join(cache, "huggingface")
    hub = os.environ.get("HF_HUB_CACHE") or os.path.join(home, "hub")
    try:
        names = os.listdir(os.path.expanduser(hub))
    except OSError:
        return []
    start = "models--"
    return [name.removeprefix(start).replace("--", "/") for name in names if name.startswith(start)]


_BASH = r"""# Completion of mitools for bash.
%(complete_func)s() {
    local line type value files= start=
    COMPREPLY=()
    while IFS= read -r line; do
        type=${line%%%%,*} value=${line#*,}
        case $type in
            plain) COMPREPLY+=("$value") ;;
            file | dir) files=$type start=$value ;;
        esac
    done < <(env COMP_LINE="${COMP_LINE:0:COMP_POINT}" COMP_WORDBREAKS="$COMP_WORDBREAKS" \
        %(complete_var)s=bash_complete "$1" 2> /dev/null)
    if [[ $files && ${#COMPREPLY[@]} == 0 ]]; then
        [[ $files == dir ]] && compopt -o dirnames || compopt -o default
    elif [[ $files ]]; then
        compopt -o filenames
        while IFS= read -r line; do COMPREPLY+=("$line"); done < <(compgen -f -- "$start")
    fi
    if [[ ${#COMPREPLY[@]} == 1 && ${COMPREPLY[0]} == *[:=/] ]]; then
        compopt -o nospace
    fi
}
complete -o nosort -F %(complete_func)s %(prog_name)s
"""


@add_completion_class
class _Bash(BashComplete):
    """Bash splits words at ``:`` and ``=``, and replaces only what stands behind the last one."""

    source_template = _BASH

    def source(self) -> str:
        return self.source_template % self.source_vars()

    def get_completion_args(self) -> tuple[list[str], str]:
        line = os.environ.get("COMP_LINE", "")
        words = split_words(line)[1:]
        incomplete = words.pop() if words and not line[-1:].isspace() else ""
        return words, incomplete

    def format_completion(self, item: CompletionItem[Any]) -> str:
        _, incomplete = self.get_completion_args()
        breaks = os.environ.get("COMP_WORDBREAKS", "")
        last = max((incomplete.rfind(mark) for mark in ":=" if mark in breaks), default=-1)
        kept = incomplete[: last + 1]
        # An item completes the option's value alone, also if the word is --option=value.
        while kept and not str(item.value).startswith(kept):
            kept = kept.partition("=")[2]
        return f"{item.type},{str(item.value).removeprefix(kept)}"
