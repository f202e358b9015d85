"""``mitools load`` as a user runs it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from mitools.cli import mitools

DATA = Path(__file__).parents[3] / "shared" / "data"
QUIZ = "question,a,b,answer\nWhere?,park,zoo,B\nWhen?,now,then,a\n"
QUIZ_MAP = ("--map", "input=question", "--map", "label=answer", "--map", "choices=a,b")


def run(*args: str | Path, stdin: str = "") -> Result:
    return CliRunner().invoke(mitools, ["load", *map(str, args)], input=stdin)


def records(result: Result) -> list[dict[str, object]]:
    assert result.exit_code == 0, result.output
    return [json.loads(line) for line in result.stdout.splitlines()]


@pytest.fixture
def quiz(tmp_path: Path) -> Path:
    path = tmp_path / "quiz.csv"
    path.write_text(QUIZ)
    return path


def test_a_file_becomes_records(quiz: Path) -> None:
    result = run(quiz, *QUIZ_MAP)
    first, second = records(result)
    assert first == {
        "id": first["id"],
        "input": "Where?",
        "label": "zoo",
        "task": "choice",
        "choices": ["park", "zoo"],
    }
    assert second["label"] == "now"
    assert result.stderr == "mitools load: 2 records\n"
    assert run(quiz, *QUIZ_MAP, "-q").stderr == ""


def test_records_without_a_gold_label_are_counted(quiz: Path, tmp_path: Path) -> None:
    result = run(quiz, "--map", "input=question")
    assert result.stderr == "mitools load: 2 records, none with a gold label\n"
    path = tmp_path / "some.jsonl"
    path.write_text('{"input": "a", "label": "x"}\n{"input": "b", "label": null}\n{"input": "c"}\n')
    assert run(path).stderr == "mitools load: 3 records, 1 with a gold label\n"


def test_ids_that_repeat_are_a_warning_and_can_be_made(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    path.write_text('{"id": 7, "input": "a"}\n{"id": 7, "input": "b"}\n')
    result = run(path)
    assert [row["id"] for row in records(result)] == ["7", "7"]
    assert 'warning: 1 record has the id of an earlier one, such as "7"' in result.stderr
    made = run(path, "--map", "id=")
    assert len({row["id"] for row in records(made)}) == 2
    assert "warning" not in made.stderr


def test_the_names_of_files_tell_their_splits(tmp_path: Path) -> None:
    paths = [tmp_path / name for name in ("quiz.train.jsonl", "quiz_dev_1.jsonl")]
    for path in paths:
        path.write_text('{"input": "a"}\n{"input": "b", "split": "test"}\n')
    result = run(*paths)
    assert [row["split"] for row in records(result)] == ["train", "test", "valid", "test"]
    assert result.stderr.splitlines()[0] == (
        "mitools load: splits by name: quiz.train.jsonl is train, quiz_dev_1.jsonl is valid"
    )
    chosen = run(*paths, "--as-split", "test")
    assert {row["split"] for row in records(chosen)} == {"test"}
    assert "splits by name" not in chosen.stderr
    without = run(*paths, "--map", "split=")
    assert all("split" not in row for row in records(without))
    assert "splits by name" not in without.stderr
    assert "split" not in records(run(paths[0]))[0]


def test_a_file_whose_name_tells_no_split_is_a_warning(tmp_path: Path) -> None:
    for name in ("train.jsonl", "test_r1.jsonl", "more.jsonl"):
        (tmp_path / name).write_text('{"input": "a"}\n')
    result = run(tmp_path)
    assert [row.get("split") for row in records(result)] == [None, "test", "train"]
    assert "test_r1.jsonl is test, train.jsonl is train\n" in result.stderr
    assert "warning: the name of more.jsonl tells no split" in result.stderr


def test_quotes_can_be_characters_like_any_other(tmp_path: Path) -> None:
    path = tmp_path / "films.tsv"
    path.write_text('input\tlabel\n"Best film ever\t1\nthe end"\t0\n')
    refused = run(path)
    assert refused.exit_code == 1
    assert "films.tsv:2: a quote opens here and would enclose whole rows; " in refused.stderr
    told = records(run(path, "--no-quotes"))
    assert [(row["input"], row["label"]) for row in told] == [
        ('"Best film ever', "1"),
        ('the end"', "0"),
    ]
    other = run("--no-quotes", stdin='{"input": "a"}\n')
    assert (other.exit_code, "--no-quotes is for CSV, not for jsonl" in other.stderr) == (2, True)


def test_the_backslash_n_of_a_shell_is_a_line_break(quiz: Path) -> None:
    result = run(quiz, "--map", r"input={{ question }}\n{{ [a, b] | lettered }}")
    assert records(result)[0]["input"] == "Where?\n(a) park\n(b) zoo"


def test_stdin_is_json_lines() -> None:
    line = '{"id": "a", "input": "größer", "x": [1, {"y": null}]}'
    for args in ((), ("-",)):
        assert records(run(*args, stdin=line)) == [json.loads(line) | {"task": "text"}]


def test_loading_records_again_changes_nothing(quiz: Path) -> None:
    once = run(quiz, *QUIZ_MAP).stdout
    assert run(stdin=once).stdout == once


def test_an_output_file_appears_whole_or_not_at_all(quiz: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl.gz"
    quiz.write_text(QUIZ + "one cell\n")
    assert run(quiz, *QUIZ_MAP, "-o", out).exit_code == 1
    assert [path.name for path in tmp_path.iterdir()] == ["quiz.csv"]
    assert run(quiz, *QUIZ_MAP, "-o", out, "--on-error", "skip").exit_code == 0
    assert len(records(run(out))) == 2


def test_a_pipe_named_as_output_is_written_to_and_stays_a_pipe(quiz: Path, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with subprocess.Popen(["cat", pipe], stdout=subprocess.PIPE, text=True) as reader:
        assert run(quiz, *QUIZ_MAP, "-o", pipe).exit_code == 0
        output, _ = reader.communicate(timeout=60)
    assert len(output.splitlines()) == 2
    assert pipe.is_fifo()


def test_a_link_named_as_output_stays_a_link(quiz: Path, tmp_path: Path) -> None:
    link = tmp_path / "link.jsonl"
    link.symlink_to("real.jsonl")
    assert run(quiz, *QUIZ_MAP, "-o", link).exit_code == 0
    assert link.is_symlink()
    assert len((tmp_path / "real.jsonl").read_text().splitlines()) == 2


def test_bad_rows_are_skipped_or_diverted_and_counted(quiz: Path, tmp_path: Path) -> None:
    quiz.write_text(QUIZ + "Why?,so,thus,C\n")
    result = run(quiz, *QUIZ_MAP)
    assert result.exit_code == 1
    assert f'{quiz}:4: label "C" is not one of its choices (so, thus)' in result.stderr
    result = run(quiz, *QUIZ_MAP, "--on-error", "skip")
    assert len(records(result)) == 2
    assert "warning: 1 of 3 lines skipped" in result.stderr
    bad = tmp_path / "bad.jsonl"
    assert len(records(run(quiz, *QUIZ_MAP, "--on-error", f"divert:{bad}"))) == 2
    (line,) = map(json.loads, bad.read_text().splitlines())
    assert (line["line"], line["text"]) == (4, "Why?,so,thus,C")


def test_as_split_limit_keep_and_drop(quiz: Path) -> None:
    args = ("--map", "input=question", "--as-split", "test", "--limit", "1")
    (record,) = records(run(quiz, *args, "--drop-fields", "a,answer"))
    assert record["split"] == "test"
    assert (record.get("a"), record["b"], record.get("answer")) == (None, "zoo", None)
    (record,) = records(run(quiz, *args, "--keep-fields", "a"))
    assert set(record) == {"id", "input", "task", "a", "split"}
    (record,) = records(run(quiz, *args, "--keep-fields", ""))
    assert set(record) == {"id", "input", "task", "split"}


def test_a_mistyped_field_to_keep_is_a_warning(quiz: Path) -> None:
    args = ("--map", "input=question", "--keep-fields", "a,bb")
    result = run(quiz, *args)
    assert all("a" in record for record in records(result))
    assert 'warning: no row has the field "bb" of --keep-fields; ' in result.stderr


def test_the_demo_is_seeded_and_sized() -> None:
    first = run("demo", "--n", "30").stdout
    assert first == run("demo", "--n", "30", "--seed", "0").stdout
    assert first != run("demo", "--n", "30", "--seed", "1").stdout
    assert len(first.splitlines()) == 30
    assert len(run("demo").stdout.splitlines()) == 1000


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("x.jsonl", "--n", "3"), "--n is for the demo only; use --limit"),
        (("x.jsonl", "--hf-split", "train"), "Hub only; use --as-split"),
        (("x.jsonl", "--name", "v1"), "--name is for data sets of the Hub only"),
        (("hf:a/b", "--format", "csv"), "--format is for files and stdin only"),
        (("demo", "--columns", "a,b"), "--columns is for files and stdin only"),
        (("demo", "--encoding", "latin-1"), "--encoding is for files and stdin only"),
        (("hf:a/b", "--hf-split", "dev=dev"), '"dev" is not one of train, valid, test'),
        (("x.jsonl", "--map", "input"), '"input" is not FIELD=SPEC'),
        (("x.jsonl", "--map", "inptu=q"), 'did you mean "input"?'),
        (("x.jsonl", "--map", "input={{ q"), "the template is wrong"),
        (("x.jsonl", "--labels", "a", "--choices", "b"), "exclude each other"),
        (("svamp", "x.jsonl"), '"mitools load -c svamp FILE"'),
        (("-c", "svamp", "cqa"), '"mitools load -c cqa FILE"'),
        (("x.jsonl", "--limit", "0"), "'--limit'"),
    ],
)
def test_options_that_make_no_sense_are_usage_errors(args: tuple[str, ...], message: str) -> None:
    result = run(*args)
    assert result.exit_code == 2
    assert message in result.stderr
    assert result.stderr.count("\n") == 1


def test_the_command_line_wins_over_a_recipe_field_by_field(tmp_path: Path) -> None:
    recipe = tmp_path / "mine.toml"
    recipe.write_text(
        '[load]\nsource = "mine.jsonl"\ntask = "equation"\nlimit = 1\nkeep-fields = []\n'
        '[load.map]\ninput = "q"\nlabel = "a"\nid = "n"\n'
    )
    rows = [
        {"n": 1, "q": "1+1?", "a": "1+1", "b": "2", "x": 0},
        {"n": 2, "q": "?", "a": "", "b": 3},
    ]
    (tmp_path / "mine.jsonl").write_text("\n".join(map(json.dumps, rows)))
    assert records(run("-c", recipe)) == [
        {"id": "1", "input": "1+1?", "label": "1+1", "task": "equation"}
    ]
    found = records(run("-c", recipe, "--map", "label=b", "--map", "id=", "--limit", "2"))
    assert [(len(str(record["id"])), record["label"]) for record in found] == [(16, "2"), (16, "3")]
    other = tmp_path / "other.jsonl"
    other.write_text(json.dumps({"n": 3, "q": "other", "a": "1"}))
    assert records(run("-c", recipe, other))[0]["input"] == "other"


def test_the_demo_is_what_demo_means_whatever_lies_in_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "demo").mkdir()
    (tmp_path / "demo" / "mine.jsonl").write_text('{"input": "mine", "label": "a"}\n')
    result = run("-c", "quickstart", "--n", "3")
    assert records(result)[0]["id"] == "demo-0-000000"
    assert "warning" not in result.stderr
    result = run("demo", "--n", "3")
    assert len(records(result)) == 3
    assert '"demo" is the built-in problems; "./demo" reads what is there' in result.stderr
    assert [record["input"] for record in records(run("./demo"))] == ["mine"]


def test_a_name_of_a_recipe_and_of_a_folder_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tickets").mkdir()
    (tmp_path / "tickets" / "mine.jsonl").write_text('{"input": "mine"}\n')
    result = run("tickets")
    assert result.exit_code == 2
    assert '"mitools load ./tickets" reads the folder' in result.stderr
    assert [record["input"] for record in records(run("./tickets"))] == ["mine"]
    assert records(run("-c", "tickets"))[0]["id"] == "ticket-001"


@pytest.mark.parametrize("how", [">", "-o"])
def test_a_file_of_the_folder_that_is_read_is_not_written(tmp_path: Path, how: str) -> None:
    (tmp_path / "a.jsonl").write_text('{"input": "a"}\n' * 3)
    out = tmp_path / "out.jsonl"
    out.touch()
    script = f"{sys.executable} -m mitools load {tmp_path} {how} {out}"
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert f"{out} is both in a folder that is read and " in done.stderr
    assert out.read_text() == ""


def test_a_recipe_with_a_key_that_is_no_option_is_refused(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text('[load]\nsorce = "demo"\n')
    result = run("-c", tmp_path / "mine.toml")
    assert result.exit_code == 2
    assert '[load] has no option "sorce"; did you mean "source"?' in result.stderr


def test_records_stream_and_a_closed_downstream_ends_it_quietly() -> None:
    script = f"""yes '{{"input": "a"}}' | {sys.executable} -m mitools load | head -3"""
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=60)
    assert [json.loads(line)["input"] for line in done.stdout.splitlines()] == ["a"] * 3
    assert done.stderr == ""


def test_an_interrupt_exits_130_with_whole_lines(tmp_path: Path) -> None:
    source = tmp_path / "pipe.jsonl"
    os.mkfifo(source)
    process = subprocess.Popen(
        [sys.executable, "-m", "mitools", "load", source],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with source.open("w") as stream:
        stream.write('{"input": "a"}\n')
        stream.flush()
        assert process.stdout is not None
        line = process.stdout.readline()
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=60)
    assert json.loads(line)["input"] == "a"
    assert (process.returncode, output) == (130, "")
    assert errors == "mitools load: interrupted; run the same command again\n"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_is_one_line_and_no_success(quiz: Path) -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "mitools", "load", quiz, *QUIZ_MAP],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
        )
    assert done.returncode == 1
    assert done.stderr.startswith("mitools load: cannot write <stdout>: No space left on device")
    assert done.stderr.count("\n") == 1


@pytest.mark.skipif(not DATA.is_dir(), reason="the real data are not here")
def test_real_questions_become_choices_and_all_labels_are_found() -> None:
    fields = ("--map", "input=question", "--map", "label=answer", "--map", "choices=choices")
    found = records(run(DATA / "cqa.train.jsonl", *fields))
    assert len(found) == 9741
    assert {record["task"] for record in found} == {"choice"}
    assert all(record["label"] in record["choices"] for record in found)  # type: ignore[operator]
    assert all(record["completion"] for record in found)


def test_the_demo_tells_stories_of_the_steps_and_distractors_asked_for() -> None:
    options = ["--steps", "3", "--distractors", "1", "--answer", "equation", "--n", "5"]
    result = CliRunner().invoke(mitools, ["load", "demo", *options])
    assert result.exit_code == 0
    records = [json.loads(line) for line in result.stdout.splitlines()]
    assert [record["type"] for record in records] == ["steps-3"] * 5
    assert all(record["label"].count("(") == 3 for record in records)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["demo", "--distractors", "1"], '--distractors needs --steps; add "--steps 3"'),
        (["demo", "--answer", "equation"], '--answer needs --steps; add "--steps 3"'),
        (["a.jsonl", "--steps", "2"], "--steps is for the demo only; leave it out"),
    ],
)
def test_options_of_stories_are_refused_elsewhere(arguments: list[str], message: str) -> None:
    result = CliRunner().invoke(mitools, ["load", *arguments])
    assert result.exit_code == 2
    assert result.stderr == f"mitools load: {message}\n"
