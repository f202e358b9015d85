"""``-c/--config``: a recipe's table fills a command's options."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from mitools.cli._completion import complete_recipes
from mitools.cli._places import from_recipe
from mitools.errors import RecipeError
from mitools.recipe import find_recipe, load_table

__all__ = ["config_option", "refusal_of", "refuse_unconfirmed", "use_recipe"]

_REFUSED = "mitools.refused"
_NOT_IN_RECIPES = ("config", "help", "debug", "files", "quiet")


def _apply_config(ctx: click.Context, _param: click.Parameter, value: str | None) -> Path | None:
    if value is None:
        return None
    path = find_recipe(value)
    use_recipe(ctx, path)
    return path


config_option = click.option(
    "-c",
    "--config",
    is_eager=True,
    callback=_apply_config,
    metavar="RECIPE|FILE",
    shell_complete=complete_recipes,
    help="Recipe, or TOML file, that sets options.",
)


def use_recipe(ctx: click.Context, path: Path) -> None:
    """Let a recipe's table fill this command's options; the command line still wins.

    A value that a recipe may not set is refused after the command line has been read, unless the
    command line sets it as well.

    Raises:
        RecipeError: a key is not an option of this command, or not with this value.
    """
    stage_name = ctx.info_name or ""
    options = {
        _key(param): param for param in ctx.command.params if param.name not in _NOT_IN_RECIPES
    }
    defaults: dict[str, Any] = {}
    names: dict[str | None, str] = {}
    for key, value in load_table(path, stage_name).items():
        param = options.get(key.replace("_", "-"))
        if param is None or param.name is None:
            close = difflib.get_close_matches(key, options, n=1)
            hint = f'did you mean "{close[0]}"?' if close else f'see "mitools {stage_name} --help"'
            raise RecipeError(f'{path}: [{stage_name}] has no option "{key}"', hint=hint)
        if other := names.get(param.name):
            message = f"{path}: [{stage_name}] sets {other} and {key}, which are one option"
            raise RecipeError(message, hint="remove one of them")
        names[param.name] = key
        try:
            value = from_recipe(param, path, value)
            if isinstance(value, str) and getattr(param, "multiple", False):
                value = [value]  # one value of a repeatable option needs no list
            _check_number(param.type, value)
            param.type_cast_value(ctx, value)
        except RecipeError as exc:
            ctx.meta.setdefault(_REFUSED, {})[param.name] = exc
            continue
        except (click.BadParameter, TypeError) as exc:
            problem = str(exc).rstrip(".")
            message = f"{path}: [{stage_name}] cannot take {key} = {value!r} ({problem})"
            raise RecipeError(message, hint=f'see "mitools {stage_name} --help"') from exc
        defaults[param.name] = value
    ctx.default_map = {**defaults, **(ctx.default_map or {})}


def _check_number(kind: click.ParamType[Any], value: Any) -> None:
    """Refuse a number that the cast would change: ``int`` makes 7 of 7.9, and 1 of true.

    Raises:
        TypeError: it is not one of this kind.
    """
    is_whole = isinstance(kind, click.types.IntParamType)
    if not is_whole and not isinstance(kind, click.types.FloatParamType):
        return
    for one in value if isinstance(value, list) else [value]:
        if isinstance(one, bool) or (is_whole and isinstance(one, float) and not one.is_integer()):
            shown = str(one).lower() if isinstance(one, bool) else one
            raise TypeError(f"{shown} is not a {'whole ' if is_whole else ''}number")


def refusal_of(ctx: click.Context, name: str | None) -> Exception | None:
    """Return why a recipe's value for a parameter was refused; None if it was not."""
    refused: Exception | None = ctx.meta.get(_REFUSED, {}).get(name)
    return refused


def refuse_unconfirmed(ctx: click.Context) -> None:
    """Raise :class:`RecipeError` for a refused value that the command line does not set."""
    for name, error in ctx.meta.get(_REFUSED, {}).items():
        if ctx.get_parameter_source(name) is not ParameterSource.COMMANDLINE:
            raise error


def _key(param: click.Parameter) -> str:
    longest = max(param.opts, key=len)
    return longest.lstrip("-").replace("_", "-").lower()
