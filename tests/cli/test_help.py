"""The headings that a command's help puts its options under."""

from __future__ import annotations

import importlib
import re

import click
import pytest
from click.testing import CliRunner

from mitools.cli import COMMANDS, mitools
from mitools.cli._help import COMMON_GROUPS, UNLISTED, grouped_options
from mitools.cli._stage import StageCommand, stage

EVERY_COMMAND = pytest.mark.parametrize("name", COMMANDS)
SHARED = {option for words in COMMON_GROUPS.values() for option in words.split()}


def command_of(name: str) -> StageCommand:
    command = importlib.import_module(f"mitools.cli.{name}").command
    assert isinstance(command, StageCommand)
    return command


def context(name: str) -> click.Context:
    return click.Context(command_of(name), parent=click.Context(mitools), info_name=name)


def longest(param: click.Parameter) -> str:
    return max(param.opts, key=len)


@EVERY_COMMAND
def test_every_option_has_a_heading(name: str) -> None:
    groups = grouped_options(context(name), command_of(name).groups)
    assert not [longest(param) for param in groups.get(UNLISTED, [])]


@EVERY_COMMAND
def test_what_a_heading_lists_is_an_option_and_stands_once(name: str) -> None:
    listed = [word for words in command_of(name).groups.values() for word in words.split()]
    options = {longest(param) for param in command_of(name).params}
    assert set(listed) <= options
    assert len(listed) == len(set(listed))
    assert not set(listed) & SHARED


@EVERY_COMMAND
def test_the_help_shows_each_heading_with_its_options(name: str) -> None:
    help_text = CliRunner().invoke(mitools, [name, "--help"]).output
    sections = dict(re.findall(r"^(\w[\w ]*):\n(.*?)(?=^\w|\Z)", help_text, re.M | re.S))
    for heading, params in grouped_options(context(name), command_of(name).groups).items():
        shown = re.findall(r"^  (?:-\w, )?(--[\w-]+)", sections[heading], re.M)
        assert shown == [longest(param) for param in params]


def test_an_option_that_no_heading_lists_is_still_shown() -> None:
    @stage("sample", groups={"First": "--one", "Run": "--three"})
    @click.option("--one", help="1.")
    @click.option("--two", help="2.")
    @click.option("--three", help="3.")
    def sample(*_: object, **__: object) -> None:
        """Show headings."""

    shown = CliRunner().invoke(sample, ["--help"]).output
    headings = re.findall(r"^(\w[\w ]*):$", shown, re.M)
    assert headings == ["First", "Input and output", "Run", UNLISTED]
    assert shown.index(f"{UNLISTED}:") < shown.index("--two")
    assert shown.index("Run:") < shown.index("--three") < shown.index("--quiet")
