"""``mitools explain`` as a user runs it."""

from __future__ import annotations

import json
import math
import os
import pty
import re
import shlex
import subprocess
import sys
import types
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

import mitools.student.protocol
from mitools.cli import mitools as cli
from mitools.student.protocol import Generation
from tests.explain.figures import probed
from tests.explain.page.pages import packed_in, rows_in
from tests.explain.page.test_write_index import config_of

SEEN = {
    "id": "seen",
    "input": "Where do fish live?",
    "label": "sea",
    "choices": ["sea", "tree"],
    "teacher": {"label": "sea", "rationale": "Fish swim in the sea."},
    "student": {"label": "tree", "rationale": "In the sea.", "confidence": 0.8},
    "mine": {"ü": [1, 2.50, None]},
}
BARE = {"id": "bare", "input": "Where do birds live?", "label": "nest"}


def jsonl(*records: Mapping[str, Any]) -> str:
    return "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records)


def run(*args: str, stdin: str = "", **env: str) -> Result:
    return CliRunner().invoke(cli, ["explain", *args], input=stdin, env=env)


class FakeStudent:
    metadata: Mapping[str, Any] = {"task": "choice"}

    def score_choices(
        self, inputs: Sequence[str], choices: Sequence[Sequence[str]]
    ) -> list[list[float]]:
        return [[math.log(0.5 if k else 0.1) for k, _ in enumerate(row)] for row in choices]

    def generate_labels(self, inputs: Sequence[str]) -> list[Generation]:
        return [Generation("nest", math.log(0.5), False, 2) for _ in inputs]

    def generate_rationales(self, inputs: Sequence[str]) -> list[Generation]:
        return [Generation("They live in the tree.", -1.0, False, 9) for _ in inputs]


@pytest.fixture
def student(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Stand in for the package that loads models, which takes seconds to import."""

    def load_student(path: Path, device: str | None = None, **_options: Any) -> FakeStudent:
        assert path == folder
        return FakeStudent()

    folder = tmp_path / "runs" / "cqa"
    folder.mkdir(parents=True)
    package = types.ModuleType("mitools.student")
    package.__dict__.update(api=mitools.student.protocol, load_student=load_student)
    monkeypatch.setitem(sys.modules, "mitools.student", package)
    return str(folder)


def test_records_are_shown_and_counted() -> None:
    result = run(stdin=jsonl(SEEN, BARE))
    assert result.exit_code == 0
    assert result.stdout == (
        "── ✗ wrong ── 1 · seen ─────────────────────────────────────────────── choice ──\n"
        "✗ inconsistent   ! differs from teacher\n"
        "\n"
        "Where do fish live?\n"
        "• sea   • tree\n"
        "\n"
        "gold       sea\n"
        "\n"
        "teacher ✓  sea\n"
        "           Fish swim in the sea.\n"
        "           → supports its own answer\n"
        "\n"
        "student ✗  tree   confidence 80%\n"
        "           In the sea.\n"
        "           → supports sea, gold's and teacher's answer\n"
        "\n"
        "── 2 · bare ──────────────────────────────────────────────────────────── text ──\n"
        "\n"
        "Where do birds live?\n"
        "\n"
        "gold       nest\n"
        "\n"
    )
    assert result.stderr == (
        "mitools explain: 2 shown; label right 0/1 (0%); consistent 0/1 (0%); "
        "teacher right 1/1 (100%)\n"
    )


def test_quiet_keeps_the_counts_back() -> None:
    assert run("-q", stdin=jsonl(SEEN)).stderr == ""


@pytest.mark.parametrize(
    "filters",
    [
        ["--wrong"],
        ["--inconsistent"],
        ["--wrong", "--inconsistent", "--disagree"],
        ["--supports", "gold"],
        ["--supports", "other", "--supports", "gold"],
        ["--low-conf", "0.81"],
        ["--high-conf-wrong=0.8"],
        ["--grep", "(?i)FISH"],
        ["--label", "Sea"],
        ["--id", "seen", "--id", "other"],
        ["--limit", "1"],
        ["--sort", "confidence", "--limit", "1"],
        ["--sort", "id", "--reverse", "--limit", "1"],
    ],
)
def test_json_passes_matching_records_on_byte_for_byte(filters: list[str]) -> None:
    result = run("--json", *filters, stdin=jsonl(SEEN, BARE))
    assert (result.exit_code, result.stdout) == (0, jsonl(SEEN))


@pytest.mark.parametrize(
    "filters",
    [
        ["--right"],
        ["--consistent"],
        ["--wrong", "--supports", "student"],
        ["--low-conf", "0.8"],
        ["--high-conf-wrong"],
        ["--teacher-wrong"],
        ["--grep", "FISH"],
        ["--split", "test"],
    ],
)
def test_nothing_matching_is_said_and_is_no_failure(filters: list[str]) -> None:
    for output in ([], ["--json"]):
        result = run(*output, *filters, stdin=jsonl(SEEN, BARE))
        assert (result.exit_code, result.stdout) == (0, "")
        assert result.stderr == "mitools explain: none of 2 records matches\n"


def test_asking_for_a_verdict_where_nobody_answered_is_explained() -> None:
    result = run("--wrong", stdin=jsonl(BARE))
    assert result.exit_code == 0
    assert 'no record has a student\'s answer; add "--student DIR"' in result.stderr


def test_a_limit_says_that_reading_stopped() -> None:
    result = run("--limit", "1", stdin=jsonl(SEEN) + "not read, so no error\n")
    assert result.exit_code == 0
    assert result.stderr.endswith("; stopped at --limit\n")


def test_the_same_seed_draws_the_same_sample() -> None:
    lines = jsonl(*({"id": str(n), "input": "?"} for n in range(40)))
    first, again, other = (
        run("--json", "--sample", "5", "--seed", seed, stdin=lines).stdout for seed in "112"
    )
    assert first == again != other
    assert len(first.splitlines()) == 5


def test_output_goes_to_a_file_whole(tmp_path: Path) -> None:
    for name, options in (("view.txt", []), ("records.jsonl", ["--json"])):
        result = run("-o", str(tmp_path / name), *options, stdin=jsonl(SEEN))
        assert (result.exit_code, result.stdout) == (0, "")
    assert "student ✗  tree" in (tmp_path / "view.txt").read_text(encoding="utf-8")
    assert (tmp_path / "records.jsonl").read_text(encoding="utf-8") == jsonl(SEEN)


def test_a_malformed_line_leaves_no_half_written_file(tmp_path: Path) -> None:
    result = run("-o", str(tmp_path / "view.txt"), stdin=jsonl(SEEN) + "{\n")
    assert result.exit_code == 1
    assert "<stdin>:2: not valid JSON" in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_colour_is_given_when_asked_for() -> None:
    assert "\x1b" not in run(stdin=jsonl(SEEN)).stdout
    assert "\x1b[1;31m✗ wrong" in run("--color", "always", stdin=jsonl(SEEN)).stdout


def test_the_width_can_be_chosen() -> None:
    result = run("--width", "120", stdin=jsonl(SEEN))
    assert max(map(len, result.stdout.splitlines())) == 120
    heading = next(line for line in result.stdout.splitlines() if line.startswith("gold"))
    assert heading.split() == ["gold", "teacher", "✓", "student", "✗"]


@pytest.mark.parametrize(
    ("columns", "width"), [("120", 120), ("", 80), ("0", 80), ("x", 80), ("10", 40), ("9999", 180)]
)
def test_without_a_terminal_the_width_is_that_of_columns(columns: str, width: int) -> None:
    result = run(stdin=jsonl(SEEN), COLUMNS=columns)
    assert len(result.stdout.splitlines()[0]) == width
    assert len(run("--width", "60", stdin=jsonl(SEEN), COLUMNS=columns).stdout.split("\n")[0]) == 60


def test_long_texts_are_whole_when_asked_for() -> None:
    long = {**SEEN, "input": " ".join(f"w{n}" for n in range(900))}
    assert "690 words left out (--full)" in run(stdin=jsonl(long)).stdout
    assert "w450" in run("--full", stdin=jsonl(long)).stdout.split()


def test_differences_are_shown_when_asked_for(other: str, tmp_path: Path) -> None:
    assert (
        "teacher → student\n[-Fish swim in-] {+In+} the sea.\n"
        in run("--diff", stdin=jsonl(SEEN)).stdout
    )
    (tmp_path / "mi.jsonl").write_text(jsonl(SEEN), encoding="utf-8")
    result = run("--diff", str(tmp_path / "mi.jsonl"), "--vs", other, "--vs", other)
    assert "mi → other\nthe same words\n" in result.stdout
    assert "mi → other (2)\nthe same words\n" in result.stdout


RIGHT = {**SEEN, "id": "fits", "student": {"label": "sea", "rationale": "In the sea."}}
PLAIN = {**SEEN, "id": "plain", "student": {"label": "tree", "rationale": "In a tree."}}
MANY = [
    {**record, "id": f"{record['id']} {n}"} for n in range(9) for record in (SEEN, RIGHT, PLAIN)
]


def test_an_overview_has_one_right_one_wrong_and_one_inconsistent_record() -> None:
    result = run("--overview", stdin=jsonl(*MANY))
    starts = [line for line in result.stdout.splitlines() if line.startswith("── ")]
    assert [start.split()[1:3] for start in starts] == [
        ["✓", "right"],
        ["✗", "wrong"],
        ["✗", "wrong"],
    ]
    assert result.stdout.count("✗ inconsistent") == 1
    assert "figures" not in result.stdout
    assert result.stderr == "mitools explain: 3 of 27 records, drawn at random\n"
    assert run("--overview", stdin=jsonl(*MANY)).stdout == result.stdout
    assert run("--overview", "--seed", "5", stdin=jsonl(*MANY)).stdout != result.stdout


@pytest.mark.parametrize(
    ("options", "count"),
    [(["--wrong"], 18), (["--limit", "5"], 5), (["--sort", "id"], 27), (["--json"], 27)],
)
def test_with_filters_and_without_text_there_is_no_overview(options: list[str], count: int) -> None:
    result = run("--overview", *options, stdin=jsonl(*MANY))
    assert len(re.findall(r"^(?:── |\{)", result.stdout, re.MULTILINE)) == count


def test_a_page_has_all_records_whatever_the_recipe_shows(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    result = run("--overview", "--html", str(page), stdin=jsonl(*MANY))
    assert "27 records" in result.stderr


def test_empty_input_is_an_error() -> None:
    result = run(stdin="")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "<stdin>: no records" in result.stderr


def test_a_record_without_input_is_an_error() -> None:
    result = run(stdin='{"id": "x"}\n')
    assert result.exit_code == 1
    assert '<stdin>:1: field "input" is missing' in result.stderr


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--wrong", "--right"], "no record is both right and wrong; drop --right or --wrong"),
        (["--consistent", "--inconsistent"], "no record is both consistent and inconsistent"),
        (["--text", "x"], "--text needs a student; add --student DIR"),
        (["--batch-size", "4"], "--batch-size needs a student; add --student DIR"),
        (["--device", "cpu"], "--device needs a student; add --student DIR"),
        (["--choices", "a,b"], "--choices needs --text"),
        (["--text", "x", "--student", "runs", "file.jsonl"], "--text reads no files"),
        (["--grep", "("], '"(" is not a regular expression'),
        (["--low-conf", "60"], '"60" is not a number from 0 to 1; write "--low-conf=0.9"'),
        (["--high-conf-wrong", "file.jsonl"], 'write "--high-conf-wrong=0.9"'),
        (["--limit", "0"], "--limit"),
        (["--reverse"], "--reverse needs an order; add --sort confidence"),
    ],
)
def test_options_that_make_no_sense_are_usage_errors(options: list[str], message: str) -> None:
    result = run(*options, stdin=jsonl(SEEN))
    assert (result.exit_code, result.stdout) == (2, "")
    assert message in result.stderr


def test_a_text_is_asked_about_live(student: str) -> None:
    result = run("--student", student, "--text", "Where do birds live?", "--choices", "sea, tree")
    assert result.exit_code == 0
    assert result.stdout == (
        "── 1 · text ────────────────────────────────────────────────────────── choice ──\n"
        "✓ consistent\n"
        "\n"
        "Where do birds live?\n"
        "\n"
        "student    tree\n"
        "           sea  ████                      17%\n"
        "           tree ████████████████████      83%  student\n"
        "           They live in the tree.\n"
        "           → supports its own answer\n"
        "\n"
    )
    assert result.stderr == ""


def test_choices_make_a_choice_of_whatever_the_student_learned(
    student: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FakeStudent, "metadata", {"task": "equation"})
    result = run("--student", student, "--text", "x", "--choices", "sea,tree")
    assert "no valid answer" not in result.stdout
    assert 'the student was trained on the task "equation", not "choice"' in result.stderr
    assert " equation ──" in run("--student", student, "--text", "x").stdout


def test_a_student_of_labels_knows_them(student: str, monkeypatch: pytest.MonkeyPatch) -> None:
    taught = {"task": "labels", "labels": ["sea", "tree"]}
    monkeypatch.setattr(FakeStudent, "metadata", taught)
    result = run("--student", student, "--text", "x", "--json")
    record = json.loads(result.stdout)
    assert (record["task"], record["choices"]) == ("labels", ["sea", "tree"])
    assert record["student"]["label"] == "tree"
    result = run("--student", student, "--json", stdin=jsonl({"id": "a", "input": "i"}))
    assert json.loads(result.stdout)["choices"] == ["sea", "tree"]
    monkeypatch.setattr(FakeStudent, "metadata", {"task": "labels"})
    result = run("--student", student, "--text", "x")
    assert (result.exit_code, result.stdout) == (2, "")
    assert '"--choices A,B,C"' in result.stderr


def test_a_text_can_be_passed_on_as_a_record(student: str) -> None:
    result = run("--student", student, "--text", "x", "--choices", "sea,tree", "--json")
    record = json.loads(result.stdout)
    assert (record["input"], record["choices"]) == ("x", ["sea", "tree"])
    assert record["student"]["label"] == "tree"
    assert record["student"]["model"].startswith("cqa@")


def test_a_student_fills_only_what_is_missing(student: str) -> None:
    result = run("--student", student, "--json", "--task", "text", stdin=jsonl(SEEN, BARE))
    seen, bare = map(json.loads, result.stdout.splitlines())
    assert seen == SEEN
    assert {name: bare[name] for name in BARE} == BARE
    assert bare["student"]["label"] == "nest"


def test_a_student_is_not_opened_for_empty_input(tmp_path: Path) -> None:
    result = run("--student", str(tmp_path / "never-made"), stdin="")
    assert result.exit_code == 1
    assert "<stdin>: no records" in result.stderr


def start(command: list[str], **options: Any) -> subprocess.CompletedProcess[bytes]:
    env = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "PAGER")}
    env |= {"TERM": "xterm", "COLUMNS": "80", **options.pop("env", {})}
    command = [sys.executable, "-m", "mitools", "explain", *command]
    return subprocess.run(command, env=env, timeout=60, check=False, **options)


@pytest.fixture
def other(tmp_path: Path) -> str:
    """A second student's answers, to records in another order and to one that nobody asked."""
    path = tmp_path / "other.jsonl"
    answer = {"label": "sea", "rationale": "In the sea.", "confidence": 0.9}
    extra = {**SEEN, "id": "extra", "student": answer}
    path.write_text(jsonl(extra, {**SEEN, "student": answer}), encoding="utf-8")
    return str(path)


def test_two_students_are_laid_side_by_side(other: str) -> None:
    result = run("--vs", other, stdin=jsonl(BARE, SEEN))
    assert result.exit_code == 0
    assert result.stdout.startswith("── ✗ wrong ── 2 · seen ──")
    assert "✓ fixed by other" in result.stdout
    assert "\nstdin ✗                                  other ✓\n" in result.stdout
    assert result.stderr == (
        f"mitools explain: warning: 1 of 2 records without an answer in {other}\n"
        f"mitools explain: warning: 1 answer in {other} to records that were not read\n"
        f"mitools explain: {other} against the first: fixed 1, broken 0, both right 0, "
        "both wrong 0; exact McNemar p = 1.000 (too few discordant pairs for p < 0.05)\n"
        "mitools explain: 1 shown of 2 read; label right 0/1 (0%); consistent 0/1 (0%); "
        "teacher right 1/1 (100%)\n"
    )


def test_json_passes_the_second_answer_on_as_well(other: str) -> None:
    result = run("--vs", other, "--fixed", "--changed", "--json", stdin=jsonl(SEEN))
    passed = json.loads(result.stdout)
    assert {name: value for name, value in passed.items() if name != "second"} == SEEN
    assert passed["second"] == {
        "student": {"label": "sea", "rationale": "In the sea.", "confidence": 0.9}
    }


def test_fixed_and_broken_together_mean_either(other: str) -> None:
    swapped = {**SEEN, "id": "extra", "student": {"label": "tree"}, "label": "tree"}
    lines = jsonl(SEEN, swapped)
    assert len(run("--vs", other, "--json", "--fixed", stdin=lines).stdout.splitlines()) == 1
    both = run("--vs", other, "--json", "--fixed", "--broken", stdin=lines)
    assert len(both.stdout.splitlines()) == 2
    assert "with another input, gold, choices or task" in both.stderr


def test_a_student_that_is_asked_live_is_compared(student: str, other: str) -> None:
    silent = {name: value for name, value in SEEN.items() if name != "student"}
    result = run("--student", student, "--vs", other, "--json", stdin=jsonl(silent))
    assert json.loads(result.stdout)["student"]["label"] == "tree"
    assert "fixed 1, broken 0" in result.stderr


def test_the_counts_of_a_comparison_that_was_cut_short_say_so(other: str) -> None:
    result = run("--vs", other, "--limit", "1", stdin=jsonl(SEEN, BARE))
    assert "both wrong 0, of the 1 read\n" in result.stderr
    assert "McNemar" not in result.stderr  # where the user stopped decides nothing
    assert "to records that were not read" not in result.stderr


def test_an_id_that_comes_twice_is_compared_twice_and_said_to_be(other: str) -> None:
    result = run("--vs", other, "--json", stdin=jsonl(SEEN, SEEN))
    assert result.exit_code == 0
    assert "1 of 2 records with a repeated id; all are compared\n" in result.stderr


def test_a_second_file_without_answers_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "bare.jsonl"
    path.write_text(jsonl(BARE), encoding="utf-8")
    result = run("--vs", str(path), stdin=jsonl(SEEN))
    assert (result.exit_code, result.stdout) == (1, "")
    assert f'run "mitools eval --student DIR {path}"' in result.stderr


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--fixed"], "--fixed needs a second student; add --vs FILE"),
        (["--changed"], "--changed needs a second student; add --vs FILE"),
        (["--vs", "-"], "two students cannot come from stdin; name a file"),
        (["--vs", "x.jsonl", "--text", "x", "--student", "runs"], "--text asks one student"),
    ],
)
def test_a_second_student_that_makes_no_sense_is_a_usage_error(
    options: list[str], message: str
) -> None:
    result = run(*options, stdin=jsonl(SEEN))
    assert (result.exit_code, result.stdout) == (2, "")
    assert message in result.stderr


def test_a_page_is_written_instead_of_a_view(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    result = run("--html", str(page), "--wrong", "--grep", "a b|fish", stdin=jsonl(SEEN, BARE))
    assert (result.exit_code, result.stdout) == (0, "")
    text = page.read_text(encoding="utf-8")
    assert text.startswith("<!doctype html>")
    assert [row["id"] for row in rows_in(text)] == ["seen"]
    assert [json.loads(line) for line in packed_in(text, "lines")] == [SEEN]
    assert "--wrong --grep &#39;a b|fish&#39;" in text
    assert "1 of 2 read" in text
    assert result.stderr == (
        f"mitools explain: {page}: 1 record, 0.1 MB\n"
        "mitools explain: 1 shown of 2 read; label right 0/1 (0%); consistent 0/1 (0%); "
        "teacher right 1/1 (100%)\n"
    )
    assert list(tmp_path.iterdir()) == [page]


def test_the_command_of_a_page_names_each_file_whatever_its_name(tmp_path: Path) -> None:
    names = [str(tmp_path / name) for name in ("a, b.jsonl", "c.jsonl")]
    for number, name in enumerate(names):
        Path(name).write_text(jsonl({**SEEN, "id": str(number)}))
    page = tmp_path / "page.html"
    assert run(*names, "--html", str(page)).exit_code == 0
    assert config_of(page.read_text())["command"] == ["mitools", "explain", *names]
    assert f"<dd>{', '.join(names)}</dd>" in page.read_text()


def test_a_page_and_records_go_together(tmp_path: Path) -> None:
    page, out = tmp_path / "page.html", tmp_path / "out.jsonl"
    result = run("--html", str(page), "--json", stdin=jsonl(SEEN))
    assert (result.exit_code, result.stdout) == (0, jsonl(SEEN))
    assert page.exists()
    run("--html", str(page), "--json", "-o", str(out), stdin=jsonl(SEEN))
    assert out.read_text(encoding="utf-8") == jsonl(SEEN)


def test_a_page_can_go_to_stdout() -> None:
    result = run("--html", "-", "-q", stdin=jsonl(SEEN))
    assert result.exit_code == 0
    assert result.stdout.startswith("<!doctype html>")
    assert result.stdout.endswith("</html>")


def test_a_live_answer_makes_a_page(student: str, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    asked = ["--student", student, "--text", "Where do birds live?", "--choices", "sea, tree"]
    result = run(*asked, "--html", str(page))
    assert (result.exit_code, result.stdout) == (0, "")
    text = page.read_text(encoding="utf-8")
    assert rows_in(text)[0]["student"]["label"] == "tree"
    assert "<dt>from</dt> <dd>Where do birds live?</dd>" in text


def test_a_page_of_two_students_counts_them(other: str, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    result = run("--html", str(page), "--vs", other, stdin=jsonl(SEEN))
    assert result.exit_code == 0
    assert "fixed 1, broken 0, both right 0, both wrong 0" in page.read_text(encoding="utf-8")


def test_the_figures_of_eval_go_onto_the_page(tmp_path: Path) -> None:
    page, figures = tmp_path / "page.html", tmp_path / "figures.json"
    metric = {"value": 0.123, "ci95": [0.1, 0.2], "n": 7, "status": "ok", "unit": "points"}
    figures.write_text(json.dumps({"records": 7, "mine": {"own": metric}}), encoding="utf-8")
    args = ["--html", str(page), "--summary", str(figures)]
    result = run(*args, stdin=jsonl(SEEN))
    assert result.exit_code == 0
    assert "mine › own" in page.read_text(encoding="utf-8")
    assert "warning: the figures are of 7 records; this page has 1\n" in result.stderr


def test_the_figures_of_eval_stand_before_the_records(tmp_path: Path) -> None:
    figures = tmp_path / "figures.json"
    figures.write_text(json.dumps(probed()), encoding="utf-8")
    result = run("--summary", str(figures), stdin=jsonl(SEEN))
    assert result.exit_code == 0
    assert result.stdout.startswith("── figures ──")
    assert "LLM judge\n" in result.stdout
    assert result.stdout.index("by gpt-x") < result.stdout.index("── 1 · seen ──")
    nothing = run("--summary", str(figures), "--right", stdin=jsonl(SEEN))
    assert nothing.stdout.startswith("── figures ──")
    assert "none of 1 records matches" in nothing.stderr


def test_the_figures_of_both_students_go_onto_the_page(other: str, tmp_path: Path) -> None:
    page, first, second = (tmp_path / name for name in ("page.html", "first.json", "second.json"))
    for path, value in ((first, 0.111), (second, 0.222)):
        metric = {"value": value, "status": "ok", "unit": "fraction", "n": 1}
        cue = {"probes": {"cue": {"followed": metric}}, "records": 1}
        path.write_text(json.dumps(cue), encoding="utf-8")
    summaries = ["--summary", str(first), "--vs-summary", str(second)]
    result = run("--html", str(page), "--vs", other, *summaries, stdin=jsonl(SEEN))
    assert result.exit_code == 0
    text = page.read_text(encoding="utf-8")
    assert "<strong>11.1%</strong>" in text
    assert "<strong>22.2%</strong>" in text


@pytest.mark.parametrize("content", ["", "[1]", '{"a": 1}'])
def test_a_file_that_is_no_summary_is_an_error(content: str, tmp_path: Path) -> None:
    page, figures = tmp_path / "page.html", tmp_path / "figures.json"
    figures.write_text(content, encoding="utf-8")
    result = run("--html", str(page), "--summary", str(figures), stdin=jsonl(SEEN))
    assert result.exit_code == 1
    assert f'write one with "mitools eval --summary {figures}"' in result.stderr
    assert not page.exists()


def test_a_page_that_fails_leaves_the_one_before_it(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    page.write_text("before", encoding="utf-8")
    result = run("--html", str(page), stdin=jsonl(SEEN) + "{\n")
    assert result.exit_code == 1
    assert page.read_text(encoding="utf-8") == "before"
    assert list(tmp_path.iterdir()) == [page]


def test_a_page_in_a_missing_folder_fails_before_any_record_is_read(tmp_path: Path) -> None:
    result = run("--html", str(tmp_path / "no" / "page.html"), stdin="not read\n")
    assert result.exit_code == 1
    assert "make the folder first" in result.stderr


def test_a_page_that_a_browser_takes_long_over_is_warned_about(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mitools.cli._explain_output.LARGE_PAGE_MB", 0.01)
    result = run("--html", str(tmp_path / "page.html"), stdin=jsonl(SEEN))
    assert result.exit_code == 0
    assert "filters, --limit or --sample N make it smaller" in result.stderr


def test_a_page_of_nothing_says_so(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    result = run("--html", str(page), "--right", stdin=jsonl(SEEN))
    assert result.exit_code == 0
    assert "none of 1 records matches" in result.stderr
    assert "0 of 1 read" in page.read_text(encoding="utf-8")


def test_a_confidence_that_is_none_is_an_error_that_names_the_record(tmp_path: Path) -> None:
    bad = {**SEEN, "student": {"label": "sea", "confidence": 7}}
    for options in ([], ["--json"], ["--html", str(tmp_path / "page.html")]):
        result = run(*options, stdin=jsonl(bad))
        assert (result.exit_code, result.stdout) == (1, "")
        assert result.stderr == (
            'mitools explain: <stdin>:1: field "student.confidence" must lie within 0 and 1\n'
        )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--summary", "x.json", "--json"], "--summary has no effect with --json alone"),
        (["--vs-summary", "x.json"], "--vs-summary needs a page of two students"),
        (["--html", "-", "--json"], "a page and records cannot go to the same output; name two"),
        (["--html", "x", "--json", "-o", "x"], "x is both --output and --html"),
        (["--html", "x", "--full"], "--full has no effect without text; drop it, or --html"),
        (["--html", "x", "--diff"], "--diff has no effect without text; drop it, or --html"),
        (["--json", "--width", "90"], "--width has no effect without text; drop it, or --json"),
        (["--html", "x", "-o", "y"], "with --html, -o is for records; add --json, or drop -o"),
    ],
)
def test_a_page_that_makes_no_sense_is_a_usage_error(options: list[str], message: str) -> None:
    result = run(*options, stdin=jsonl(SEEN))
    assert (result.exit_code, result.stdout) == (2, "")
    assert message in result.stderr


@pytest.mark.parametrize(
    ("options", "flag"),
    [
        (["--wrong"], "--wrong"),
        (["--split", "test"], "--split"),
        (["--summary", "figures.json"], "--summary"),
        (["--json"], "--json"),
        (["--no-pager"], "--pager"),
    ],
)
def test_an_index_takes_no_option_that_has_no_effect_on_it(
    tmp_path: Path, options: list[str], flag: str
) -> None:
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "judged.jsonl").write_text(jsonl(SEEN))
    index = tmp_path / "index.html"
    result = run(str(tmp_path / "runs"), "--html", str(index), *options)
    assert result.exit_code == 2
    assert f"{flag} has no effect on the index of a folder; leave it out" in result.stderr
    assert not index.exists()
    assert run(str(tmp_path / "runs"), "--html", str(index), "-q").exit_code == 0
    assert index.exists()


def test_head_ends_it_quietly(tmp_path: Path) -> None:
    path = tmp_path / "many.jsonl"
    path.write_text(jsonl(*[SEEN] * 500), encoding="utf-8")
    read, write = os.pipe()
    with subprocess.Popen(["head", "-n", "1"], stdin=read, stdout=subprocess.PIPE) as head:
        os.close(read)
        done = start([str(path)], stdout=write, stderr=subprocess.PIPE)
        os.close(write)
        out, _ = head.communicate()
    assert out.decode().startswith("── ✗ wrong ── 1 · seen ──")
    assert (done.returncode, done.stderr) == (0, b"")


def on_terminal(path: Path, *options: str, errors: Path | None = None, **env: str) -> str:
    """Run with a terminal as stdout and return what the terminal received."""
    ours, theirs = pty.openpty()
    try:
        with path.open("rb") as records, (errors or Path(os.devnull)).open("wb") as stderr:
            done = start([*options], stdin=records, stdout=theirs, stderr=stderr, env=env)
        os.close(theirs)
        assert done.returncode == 0
        received = b""
        while chunk := _read(ours):
            received += chunk
        return received.decode()
    finally:
        os.close(ours)


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:  # Linux: the other end is closed
        return b""


@pytest.fixture
def one(tmp_path: Path) -> Path:
    path = tmp_path / "one.jsonl"
    path.write_text(jsonl(SEEN), encoding="utf-8")
    return path


def test_a_terminal_gets_colours(one: Path) -> None:
    assert "\x1b[1;31m✗ wrong" in on_terminal(one, "--no-pager")


def test_no_color_is_honoured(one: Path) -> None:
    text = on_terminal(one, "--no-pager", NO_COLOR="1")
    assert "✗ wrong" in text
    assert "\x1b[1m✗ wrong" in text
    assert "\x1b[1;3" not in text
    assert "\x1b[3" not in text


def test_a_dumb_terminal_gets_plain_text(one: Path) -> None:
    assert "\x1b" not in on_terminal(one, "--no-pager", TERM="dumb")


def test_on_a_terminal_an_overview_ends_with_figures_and_commands(
    tmp_path: Path, one: Path
) -> None:
    judged = tmp_path / "judged.jsonl"
    judged.write_text(jsonl(*MANY), encoding="utf-8")
    text = on_terminal(judged, "--overview", str(judged), COLUMNS="60", NO_COLOR="1")
    plain = re.sub(r"\x1b\[[0-9;]*m", "", text).replace("\r", "")
    _, figures, commands = re.split(
        r"^── (?:figures, 95% intervals|next) .*\n", plain, flags=re.MULTILINE
    )
    assert re.search(r"^Accuracy +33\.3%\n +18\.6 to 52\.2 · n 27$", figures, re.MULTILINE)
    typed = re.findall(r"^  (mitools explain .*)$", commands, re.MULTILINE)
    assert [shlex.split(line)[3] for line in typed] == ["--wrong", "--html", "--inconsistent"]
    for line in typed:
        assert run(*shlex.split(line)[2:]).exit_code == 0
    assert "figures" not in on_terminal(one, "--overview", "--wrong", "--no-pager")
    assert "figures" not in on_terminal(one, "--no-pager")
    assert "next" not in on_terminal(one, "--overview")


def test_a_terminal_pages_although_the_records_come_through_a_pipe(
    one: Path, tmp_path: Path
) -> None:
    pager, paged = tmp_path / "pager", tmp_path / "paged"
    pager.write_text(f'#!/bin/sh\ncat > "{paged}"\n')
    pager.chmod(0o755)
    assert on_terminal(one, PAGER=str(pager)) == ""
    assert "\x1b[1;31m✗ wrong" in paged.read_text(encoding="utf-8")


def test_leaving_the_pager_ends_it_quietly_and_the_counts_say_so(tmp_path: Path) -> None:
    many, errors = tmp_path / "many.jsonl", tmp_path / "errors"
    many.write_text(jsonl(*[SEEN] * 1500), encoding="utf-8")
    assert on_terminal(many, errors=errors, PAGER="true") == ""
    assert errors.read_text().startswith("mitools explain: ")
    assert errors.read_text().endswith("; stopped when the pager was closed\n")
