"""``mitools recipes``: list the recipes that came with mitools."""

from __future__ import annotations

from mitools.cli._stage import Stage, stage, stdout
from mitools.escape import on_one_line
from mitools.files import output_errors

__all__ = ["command"]


@stage("recipes", reads=False, writes=False)
def command(stage: Stage) -> None:
    """List the recipes that came with mitools, each with the path of its TOML file.

    "mitools init NAME --from RECIPE" copies one to change and to run.

    \b
    mitools recipes
    mitools init mytickets --from tickets
    """
    from mitools.recipe import find_recipe, list_recipes

    with output_errors("<stdout>"):
        for name in list_recipes():
            path = on_one_line(str(find_recipe(name)))
            stdout().write(f"{on_one_line(name)}\t{path}\n")
        stdout().flush()
