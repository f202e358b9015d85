"""scaffold: a recipe of one's own, from a data file or from a recipe that came with mitools.

- ``options``: the options of ``mitools init``; ``make_recipe``: the command as one function
- ``column``: what is known about one column; ``sample``: the first rows of a file
- ``usual_names``: columns by their names; ``propose``: the mapping and the task, with reasons
- ``label_set``: the set of labels of a column
- ``refusals``: files of which nothing can be proposed
- ``chat_task``: the task of a chat log, by its answers
- ``trial``: the first records that a proposal gives
- ``settings``: the settings that a recipe brings to other data
- ``recipe_text``: the text of ``recipe.toml``; ``toml_text``: keys and values as TOML

``run.sh`` is the script that each new recipe gets. It holds nothing of a data file.
"""
