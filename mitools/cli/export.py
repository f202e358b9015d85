"""``mitools export``: a student in the format of another runtime."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from mitools.cli._options import typed
from mitools.cli._places import OutputFolder, RecipePath, TypedOption
from mitools.cli._stage import Stage, stage, stdout
from mitools.errors import DataError, UsageError
from mitools.export.options import QUANTIZATIONS, TARGETS, ExportOptions
from mitools.files import STDIN, output_errors

__all__ = ["command"]

GROUPS = {
    "Target": "--to --out --quantize --overwrite",
    "Check": "--check-records --check-limit",
    "GGUF": "--converter",
    "Hugging Face Hub": "--repo --public --yes",
}

_OF_EXPORTS = ("quantize", "overwrite", "check_records", "check_limit")
"""Options without effect on an upload: the student's own files are sent."""


@stage("export", reads=False, writes=False, groups=GROUPS)
@click.argument("student", type=RecipePath(), metavar="DIR")
@click.option(
    "--to",
    "target",
    required=True,
    type=click.Choice([*TARGETS, "hub"]),
    help="CTranslate2, a GGUF file for llama.cpp, ONNX Runtime, or the Hugging Face Hub.",
)
@click.option(
    "-o",
    "--out",
    cls=TypedOption,
    type=OutputFolder(),
    metavar="OUT",
    help="Folder to make; it appears only if the export answers as the student does.",
)
@click.option(
    "--quantize",
    type=click.Choice(QUANTIZATIONS),
    default=ExportOptions.quantize,
    show_default=True,
    help="Type of the weights; int8 is q8_0 in a GGUF file.",
)
@click.option("--overwrite", cls=TypedOption, is_flag=True, help="Replace an earlier export.")
@click.option(
    "--check-records",
    type=RecipePath(),
    default=STDIN,
    metavar="FILE",
    help="Records to compare student and export on.  [default: stdin]",
)
@click.option(
    "--check-limit",
    type=click.IntRange(min=1),
    default=ExportOptions.check_limit,
    show_default=True,
    metavar="N",
    help="Number of these records; those outside the train split come first.",
)
@click.option(
    "--converter",
    cls=TypedOption,
    type=RecipePath(dir_okay=False),
    metavar="FILE",
    help="convert_hf_to_gguf.py of llama.cpp.  [default: the one on the PATH]",
)
@click.option("--repo", cls=TypedOption, metavar="ORG/NAME", help="Repository on the Hub.")
@click.option("--public", cls=TypedOption, is_flag=True, help="Make a new repository public.")
@click.option(
    "--yes", cls=TypedOption, is_flag=True, help="Upload. Without it, the files are only listed."
)
def command(stage: Stage, student: str, target: str, **params: Any) -> None:
    """Export a student to another runtime.

    The export answers records beside the student. If its answers or their probabilities differ by
    more than rounding explains, nothing is written and the command fails.

    \b
    mitools export runs/first --to ct2 --quantize int8 -o runs/first-ct2 --check-records data.jsonl
    mitools export runs/first --to gguf -o runs/first-gguf < data.jsonl
    mitools export runs/first --to hub --repo ORG/NAME
    """
    if target == "hub":
        _to_hub(stage, Path(student), **params)
    else:
        _to_folder(stage, Path(student), target, **params)


def _to_folder(stage: Stage, student: Path, target: Any, **params: Any) -> None:
    from mitools.export.run import export_student
    from mitools.records import Reader

    for name in ("repo", "public", "yes"):
        if params[name]:
            raise UsageError(f"--{name} is for --to hub", hint="leave it out")
    if params["out"] is None:
        raise UsageError(f"--to {target} needs a folder to make", hint="add -o OUT")
    converter = params["converter"]
    options = ExportOptions(
        target=target,
        out=Path(params["out"]),
        quantize=params["quantize"],
        check_limit=params["check_limit"],
        converter=None if converter is None else Path(converter),
        overwrite=params["overwrite"],
    )
    records = Reader((params["check_records"],), ("input",))
    try:
        agreement = export_student(student, records, options, stage.console.note)
    except DataError as exc:
        exc.hint = _hint_of_export(exc.hint)
        raise
    stage.console.note(f"saved {options.out}: {agreement}")


def _hint_of_export(hint: str) -> str:
    """Leave out of a hint of the reader the options that this command does not have."""
    hint = hint.partition(", or continue without it")[0]
    return "leave the line out" if hint.startswith("raise the bound") else hint


def _to_hub(stage: Stage, student: Path, **params: Any) -> None:
    from mitools.export.hub import HubOptions, plan_upload, upload_student

    for name in ("out", "converter", *typed(_OF_EXPORTS)):
        if params[name]:
            flag = name.replace("_", "-")
            raise UsageError(f"--{flag} is not for --to hub", hint="leave it out")
    if not params["repo"]:
        raise UsageError("--to hub needs a repository", hint="add --repo ORG/NAME")
    options = HubOptions(params["repo"], params["public"])
    if params["yes"]:
        stage.console.note(f"uploaded: {upload_student(student, options, stage.console.note)}")
        return
    files = plan_upload(student, options)
    with output_errors("<stdout>"):
        stdout().writelines(f"{size:>13,}  {name}\n" for name, size in files)
    kind = "public" if options.is_public else "private"
    stage.console.note(f'would upload to {options.repository} ({kind}); add "--yes" to do it')
