"""No file in two roles, in any stage; and a recipe has no power over what is written or sent."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from mitools.cli import COMMANDS, mitools
from mitools.cli._places import OutputFolder, OutputPath, TypedOption
from mitools.recipe import find_recipe, list_recipes

STAGES = ("load", "annotate", "split", "train", "eval", "explain")
LINE = json.dumps(
    {
        "id": "a",
        "input": "1 + 1?",
        "label": "2",
        "task": "equation",
        "completion": "So the answer is 2.",
        "student": {"label": "2", "rationale": "One and one.", "confidence": 0.5},
    }
)


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("data.jsonl").write_text(f"{LINE}\nbroken\n")
    Path("other.jsonl").write_text(f"{LINE}\n")
    os.link("data.jsonl", "hard.jsonl")
    Path("soft.jsonl").symlink_to("data.jsonl")
    Path("sub").mkdir()


def run(*args: str) -> Result:
    return CliRunner().invoke(mitools, args)


def options_of(stage: str) -> list[click.Option]:
    command = mitools.get_command(click.Context(mitools), stage)
    assert command is not None
    return [param for param in command.params if isinstance(param, click.Option)]


def usual(stage: str) -> list[str]:
    more = {"train": ["--save", "new"], "annotate": ["--teacher", "replay"]}
    return [stage, *more.get(stage, [])]


def assert_refused(result: Result, path: str, *roles: str) -> None:
    assert result.exit_code == 2, result.stderr
    assert result.stdout == ""
    named = result.stderr.split(": ")[1].split(" is both ")[0]
    assert os.path.realpath(named) == os.path.realpath(path)
    for role in roles:
        assert role in result.stderr
    assert result.stderr.endswith("; name another file for one of them\n")
    assert result.stderr.count("\n") == 1
    assert Path("data.jsonl").read_text() == f"{LINE}\nbroken\n"
    assert not Path("new.jsonl").exists()


# Roles


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("name", ["data.jsonl", "./sub/../data.jsonl", "hard.jsonl", "soft.jsonl"])
def test_the_input_is_no_place_for_bad_lines(stage: str, name: str) -> None:
    result = run(*usual(stage), "data.jsonl", "--on-error", f"divert:{name}")
    argument = "SOURCE" if stage == "load" else "FILE"
    assert_refused(result, "data.jsonl", argument, "--on-error divert")


def written_options() -> list[tuple[str, str]]:
    return [
        (stage, max(option.opts, key=len))
        for stage in STAGES
        for option in options_of(stage)
        if isinstance(option.type, OutputPath)
    ]


def test_the_options_that_write_are_known() -> None:
    assert set(written_options()) == {
        *((stage, "--output") for stage in STAGES),
        ("annotate", "--journal"),
        ("annotate", "--emit-batch"),
        ("split", "--report"),
        ("eval", "--summary"),
        ("eval", "--judge-journal"),
        ("explain", "--html"),
    }


@pytest.mark.parametrize(("stage", "option"), written_options())
def test_no_output_is_a_file_with_another_role(stage: str, option: str) -> None:
    given = [*usual(stage), "data.jsonl", option]
    for name in ("new.jsonl", "./new.jsonl", "sub/../new.jsonl"):
        result = run(*given, "new.jsonl", "--on-error", f"divert:{name}")
        assert_refused(result, "new.jsonl", option, "--on-error divert")
    if option != "--output":
        assert_refused(run(*given, "data.jsonl"), "data.jsonl", option, "FILE")
        assert " is both " in run(*given, "hard.jsonl").stderr
        if stage != "train":
            assert_refused(run(*given, "new.jsonl", "-o", "new.jsonl"), "new.jsonl", option)


@pytest.mark.parametrize(
    ("args", "roles"),
    [
        (("annotate", "--teacher", "replay:other.jsonl", "-o", "other.jsonl"), ("replay", "-o")),
        (("annotate", "--examples", "other.jsonl", "-o", "other.jsonl"), ("--examples",)),
        (("annotate", "--from-batch", "other.jsonl", "-o", "other.jsonl"), ("--from-batch",)),
        (("annotate", "--on-failure", "divert:n", "-o", "n"), ("--on-failure divert",)),
        (("annotate", "--on-failure", "divert:n", "--on-error", "divert:n"), ("--on-failure",)),
        (("annotate", "--on-failure", "divert:data.jsonl"), ("--on-failure divert", "FILE")),
        (("split", "--against", "other.jsonl", "-o", "other.jsonl"), ("--against",)),
        (("split", "--against", "other.jsonl", "--report", "other.jsonl"), ("--report",)),
        (("split", "--out-dir", "d", "--report", "d/test.jsonl"), ("--out-dir", "--report")),
        (("split", "--out-dir", "d", "-o", "d/train.jsonl"), ("--out-dir", "--output")),
        (("split", "--out-dir", "d", "--on-error", "divert:d/valid.jsonl"), ("--out-dir",)),
        (("eval", "--compare", "other.jsonl", "--summary", "other.jsonl"), ("--compare",)),
        (("explain", "--vs", "other.jsonl", "-o", "other.jsonl"), ("--vs",)),
        (("explain", "--summary", "other.jsonl", "--html", "other.jsonl"), ("--summary",)),
        (("explain", "-o", "data.jsonl"), ("--output", "FILE")),
        (("explain", "--json", "-o", "data.jsonl"), ("--output", "FILE")),
        (("train", "--save", "other.jsonl", "-o", "other.jsonl"), ("--save",)),
        (("train", "--save", "z", "-o", "z/out.jsonl"), ("--save", "--output")),
        (("train", "--save", "z", "--on-error", "divert:z.work/bad"), ("--save", "divert")),
        (("train", "--save", "sub", "--student", "sub"), ("--save", "--student")),
    ],
)
def test_no_other_pair_of_roles_shares_a_file(
    args: tuple[str, ...], roles: tuple[str, ...]
) -> None:
    result = run(*args, "data.jsonl")
    assert result.exit_code == 2, result.stderr
    assert " is both " in result.stderr
    for role in roles:
        assert role in result.stderr.replace("--output", "--output -o")


def test_an_input_in_the_folder_that_a_student_replaces_is_refused() -> None:
    Path("sub/data.jsonl").write_text(LINE)
    result = run("train", "--save", "sub", "--overwrite", "sub/data.jsonl")
    assert_refused(result, "sub/data.jsonl", "--save", "FILE")


@pytest.mark.parametrize("stage", ["load", "annotate", "split"])
def test_the_same_records_may_replace_the_input(stage: str) -> None:
    for name in ("other.jsonl", "./other.jsonl"):
        result = run(*usual(stage), "other.jsonl", "-q", "-o", name)
        assert (result.exit_code, result.stderr) == (0, "")
    assert json.loads(Path("other.jsonl").read_text())["id"] == "a"


def test_the_parts_of_a_folder_may_be_split_again() -> None:
    Path("data.jsonl").write_text(
        "".join(json.dumps({"id": str(n), "input": f"question {n}"}) + "\n" for n in range(50))
    )
    assert run("split", "-q", "data.jsonl", "--out-dir", "d").exit_code == 0
    parts = [f"d/{name}.jsonl" for name in ("train", "valid", "test")]
    result = run("split", "-q", "--reassign", "--seed", "1", *parts, "--out-dir", "d")
    assert (result.exit_code, result.stderr) == (0, "")
    ids = [json.loads(line)["id"] for part in parts for line in Path(part).read_text().splitlines()]
    assert sorted(ids, key=int) == [str(n) for n in range(50)]


def test_a_part_that_is_split_again_does_not_replace_one_that_is_not_read() -> None:
    Path("d").mkdir()
    Path("d/train.jsonl").write_text(LINE)
    Path("d/valid.jsonl").write_text("")
    Path("d/test.jsonl").write_text("mine\n")
    words = ("split", "-q", "d/train.jsonl", "--test", "0", "--out-dir", "d")
    result = run(*words)
    assert result.exit_code == 2
    assert "d/test.jsonl would be replaced, and its records are not read" in result.stderr
    assert 'leave it as it is: "--select train,valid"' in result.stderr
    assert Path("d/test.jsonl").read_text() == "mine\n"
    assert run(*words, "--select", "train,valid").exit_code == 0
    assert Path("d/test.jsonl").read_text() == "mine\n"


def test_reading_one_file_twice_is_fine() -> None:
    result = run("split", "-q", "other.jsonl", "other.jsonl", "--against", "other.jsonl")
    assert result.exit_code == 0, result.stderr


def shell(script: str) -> tuple[int, str, str]:
    line = f'mitools() {{ "{sys.executable}" -m mitools "$@"; }}; {script}'
    env = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run(["bash", "-c", line], capture_output=True, encoding="utf-8", env=env)
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize(
    ("script", "problem"),
    [
        (
            "mitools split --on-error divert:hard.jsonl < data.jsonl",
            "hard.jsonl is both stdin and --on-error divert",
        ),
        ("mitools split --report data.jsonl < soft.jsonl", "data.jsonl is both stdin and --report"),
        ("mitools split data.jsonl >> hard.jsonl", "data.jsonl is both stdout and FILE"),
        ("mitools split < data.jsonl >> hard.jsonl", "one file is both stdin and stdout"),
        ("mitools split data.jsonl - < other.jsonl >> data.jsonl", "is both stdout and FILE"),
        (
            "mitools eval --split all other.jsonl --summary /dev/stdout",
            "/dev/stdout is both stdout and --summary",
        ),
    ],
)
def test_files_that_the_shell_opened_count_too(script: str, problem: str) -> None:
    code, out, err = shell(script)
    assert (code, out) == (2, "")
    assert f"{problem}; name another file for one of them\n" in err
    assert Path("data.jsonl").read_text() == f"{LINE}\nbroken\n"


def test_messages_and_records_may_go_into_one_file() -> None:
    code, _, _ = shell("mitools split other.jsonl > all.log 2>&1")
    assert code == 0
    assert "mitools split: 1 records" in Path("all.log").read_text()


@pytest.mark.parametrize("name", ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1", "/dev/fd/3"])
def test_a_stream_that_is_named_is_written_to_where_it_stands(name: str) -> None:
    Path("kept").write_text("before\n")
    stream = "3>> kept" if name.endswith("3") else ">> kept"
    for option in (f"-o {name}", f"-o /dev/null --report {name}"):
        code, _, err = shell(f"mitools split -q other.jsonl {option} {stream}")
        assert (code, err) == (0, "")
    lines = Path("kept").read_text().splitlines()
    assert lines[0] == "before"
    assert json.loads(lines[1])["id"] == "a"
    assert len(lines) > 3


# Files that are added to


def test_bad_lines_are_added_to_those_of_the_run_before() -> None:
    for run_number in (1, 2):
        assert run("split", "-q", "data.jsonl", "--on-error", "divert:bad").exit_code == 0
        kept = [json.loads(line) for line in Path("bad").read_text().splitlines()]
        assert [line["text"] for line in kept] == ["broken"] * run_number


def test_a_line_that_a_killed_run_left_half_written_stays_by_itself() -> None:
    Path("bad").write_text('{"error": "cut')
    assert run("split", "-q", "data.jsonl", "--on-error", "divert:bad").exit_code == 0
    cut, whole = Path("bad").read_text().splitlines()
    assert (cut, json.loads(whole)["text"]) == ('{"error": "cut', "broken")


@pytest.mark.parametrize("option", ["--on-error", "--on-failure"])
def test_a_file_that_holds_something_else_is_left_alone(option: str) -> None:
    before = Path("other.jsonl").read_text()
    result = run("annotate", "--teacher", "replay", "data.jsonl", option, "divert:other.jsonl")
    assert result.exit_code == 1
    assert (
        "other.jsonl holds other data, and lines would be added to it; name another file"
        in result.stderr
    )
    assert Path("other.jsonl").read_text() == before


def test_records_without_an_answer_are_added_to_those_of_the_run_before() -> None:
    silent = LINE.replace("So the answer is 2.", "").replace('"a"', '"b"')
    Path("in").write_text(f"{LINE}\n{silent}\n")
    for run_number in (1, 2):
        args = ["annotate", "-q", "--teacher", "replay", "in", "--on-failure", "divert:failed"]
        assert run(*args).exit_code == 0
        assert len(Path("failed").read_text().splitlines()) == run_number


def test_a_packed_file_cannot_be_added_to() -> None:
    result = run("split", "data.jsonl", "--on-error", "divert:bad.gz")
    assert result.exit_code == 1
    assert "; name it bad\n" in result.stderr
    assert not Path("bad.gz").exists()


def test_a_line_keeps_its_bytes() -> None:
    from mitools.diverted import restored

    bad = [b"caf\xe9", b"\xff\xfe\x00", b'{"input": 3}\r', b"\xef\xbb\xbf[]", b"\x00"]
    Path("in").write_bytes(b"\n".join([LINE.encode(), *bad]) + b"\n")
    assert run("split", "-q", "in", "--on-error", "divert:bad").exit_code == 0
    assert [restored(line) for line in Path("bad").read_text().splitlines()] == bad


# What a recipe may not do


def recipe(stage: str, text: str, folder: str = "sub") -> str:
    path = Path(folder) / "mine.toml"
    path.write_text(f"[{stage}]\n{text}\n")
    return str(path)


def test_every_option_that_writes_or_sends_is_typed() -> None:
    hosts = {"--base-url", "--judge-url"}
    for stage in STAGES:
        for option in options_of(stage):
            names = {*option.opts}
            if isinstance(option.type, OutputPath | OutputFolder) or names & {
                *hosts,
                "--overwrite",
            }:
                assert isinstance(option, TypedOption), option.opts


@pytest.mark.parametrize(
    ("stage", "line", "typed"),
    [
        ("annotate", "base-url = 'http://evil/v1'", "--base-url http://evil/v1"),
        ("annotate", "output = 'x; y'", "--output 'x; y'"),
        ("annotate", "journal = 'j'", "--journal j"),
        ("annotate", "emit-batch = 'b'", "--emit-batch b"),
        ("annotate", "on-failure = 'divert:f'", "--on-failure divert:f"),
        ("split", "on_error = 'divert:f'", "--on-error divert:f"),
        ("split", "report = 'r'", "--report r"),
        ("split", "out-dir = 'd'", "--out-dir d"),
        ("eval", "summary = 's'", "--summary s"),
        ("eval", "judge-url = 'http://evil/v1'", "--judge-url http://evil/v1"),
        ("eval", "judge-journal = 'j'", "--judge-journal j"),
        ("explain", "html = 'h'", "--html h"),
        ("train", "save = 'z'", "--save z"),
        ("train", "overwrite = true", "--overwrite"),
    ],
)
def test_a_recipe_may_not_write_replace_or_send(stage: str, line: str, typed: str) -> None:
    given = [stage, "other.jsonl", "-c", recipe(stage, line)]
    before = sorted(os.listdir())
    result = run(*given, *(["--save", "s"] if "overwrite" in line else []))
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith(f"mitools {stage}: sub/mine.toml: ")
    assert "a recipe may not" in result.stderr
    assert result.stderr.endswith(f"; if you want it, type it yourself: {typed}\n")
    assert sorted(os.listdir()) == before


def test_what_is_typed_as_well_is_confirmed() -> None:
    path = recipe("split", "output = 'theirs'\nreport = 'theirs'\nseed = 3")
    result = run("split", "-q", "other.jsonl", "-c", path, "-o", "mine", "--report", "figures")
    assert (result.exit_code, result.stderr) == (0, "")
    assert {"mine", "figures"} < set(os.listdir())
    assert not Path("theirs").exists()


@pytest.mark.parametrize(
    ("stage", "line"),
    [
        ("annotate", "template = '../other.jsonl'"),
        ("annotate", "template = '/etc/passwd'"),
        ("annotate", "examples = 'link'"),
        ("annotate", "examples = 'folder/x'"),
        ("annotate", "teacher = 'replay:../other.jsonl'"),
        ("annotate", "from-batch = ['../other.jsonl']"),
        ("split", "against = ['inner.jsonl', '../other.jsonl']"),
        ("load", "source = '../other.jsonl'"),
        ("load", "source = '/etc/passwd'"),
        ("explain", "vs = '../other.jsonl'"),
        ("explain", "summary = '../other.jsonl'"),
        ("eval", "student = '..'"),
        ("eval", "compare = ['../other.jsonl']"),
        ("eval", "embedding = '../x'"),
        ("train", "student = '/home/model'"),
        ("train", "student = 'encoder:../x'"),
        ("load", "source = 'hf:https://evil/data'"),
        ("load", "source = 'hf:../x'"),
        ("load", "source = 'hf:/etc'"),
    ],
)
def test_a_recipe_reads_only_in_its_own_folder(stage: str, line: str) -> None:
    Path("sub/inner.jsonl").write_text(f"{LINE}\n")
    Path("sub/link").symlink_to("../other.jsonl")
    Path("sub/folder").symlink_to("/etc")
    files = [] if stage == "load" else ["data.jsonl"]
    save = ["--save", "new"] if stage == "train" else []
    result = run(stage, *files, *save, "-c", recipe(stage, line))
    assert (result.exit_code, result.stdout) == (2, ""), result.stderr
    assert "a recipe may " in result.stderr
    assert result.stderr.count("\n") == 1


def test_a_recipe_reads_in_its_own_folder() -> None:
    Path("sub/inner.jsonl").write_text(f"{LINE}\n")
    Path("sub/link").symlink_to("inner.jsonl")
    for line in ("source = 'inner.jsonl'", "source = 'link'"):
        result = run("load", "-q", "-c", recipe("load", line))
        assert (result.exit_code, result.stderr) == (0, "")
    path = recipe("split", "against = ['inner.jsonl', 'link']")
    assert run("split", "-q", "other.jsonl", "-c", path).exit_code == 0


@pytest.mark.parametrize("name", list_recipes())
@pytest.mark.parametrize("stage", STAGES)
def test_the_recipes_that_came_with_mitools_have_no_such_power(name: str, stage: str) -> None:
    command = mitools.get_command(click.Context(mitools), stage)
    assert command is not None
    args = ["--save", "z"] if stage == "train" else []
    command.make_context(stage, [*args, "-c", str(find_recipe(name))])


def test_every_stage_is_here() -> None:
    assert {*STAGES} == COMMANDS.keys() - {
        *("completion", "export", "init", "recipes", "schema", "study")
    }


@pytest.mark.parametrize(
    "arguments",
    [("load", ""), ("split", ""), ("split", "-o", ""), ("split", "--out-dir", "")],
    ids=" ".join,
)
def test_an_empty_name_is_refused(arguments: tuple[str, ...]) -> None:
    result = CliRunner().invoke(mitools, arguments, input='{"input": "a"}\n')
    assert (result.exit_code, result.stdout) == (2, "")
    assert "the name is empty; a variable in the command may be unset" in result.stderr


@pytest.mark.parametrize("name", ["mitools.json", "model.safetensors", "config.json"])
def test_a_file_of_the_student_that_is_read_is_not_written(tmp_path: Path, name: str) -> None:
    student = tmp_path / "student"
    student.mkdir()
    for own in ("mitools.json", "model.safetensors", "config.json"):
        (student / own).write_text("{}")
    arguments = ["eval", "--student", str(student), "-o", str(student / name)]
    result = CliRunner().invoke(mitools, arguments, input=LINE + "\n")
    assert result.exit_code == 2
    assert "is both --output and --student" in result.stderr or (
        "is both --student and --output" in result.stderr
    )
    assert (student / name).read_text() == "{}"
    arguments[-1] = str(student / "judged.jsonl")
    result = CliRunner().invoke(mitools, arguments, input=LINE + "\n")
    assert "is both" not in result.stderr
