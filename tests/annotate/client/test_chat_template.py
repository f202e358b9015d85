"""Messages as one text."""

from __future__ import annotations

from pathlib import Path

import pytest

from mitools.annotate.client.chat_template import ChatTemplate
from mitools.errors import SourceError, UsageError

MESSAGES = [{"role": "user", "content": "1 + 1?"}, {"role": "assistant", "content": "2"}]


def test_without_a_template_blank_lines_stand_between_the_messages() -> None:
    assert ChatTemplate.read(None).render(MESSAGES) == "1 + 1?\n\n2\n"


def test_a_template_gets_messages_and_loop_controls(tmp_path: Path) -> None:
    path = tmp_path / "chat_template.jinja"
    path.write_text(
        "{{ bos_token }}{% for m in messages %}{% if m.role == 'system' %}{% continue %}{% endif %}"
        "[{{ m.role }}] {{ m.content | trim }}{{ eos_token }} {% endfor %}"
        "{% if add_generation_prompt %}[assistant]{% endif %}"
        "{% if strftime_now is defined %}{{ strftime_now('%d') }}{% endif %}"
    )
    given = [{"role": "system", "content": "Be brief."}, *MESSAGES]
    assert ChatTemplate.read(str(path)).render(given) == "[user] 1 + 1? [assistant] 2 "


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{{ raise_exception('roles must alternate') }}", "roles must alternate"),
        ("{{ messages.append(1) }}", "is unsafe"),
        ("{{ ''.__class__.__mro__ }}", "unsafe"),
        ("{{ messages[9].content }}", "no element 9"),
    ],
)
def test_what_a_template_cannot_do_is_one_line(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "t.jinja"
    path.write_text(text)
    with pytest.raises(UsageError, match=words) as caught:
        ChatTemplate.read(str(path)).render(MESSAGES)
    assert str(caught.value).count("\n") == 0


def test_a_file_that_is_no_template_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "t.jinja"
    path.write_text("a\n{% if %}")
    with pytest.raises(UsageError, match=r"t\.jinja:2"):
        ChatTemplate.read(str(path))
    with pytest.raises(SourceError, match="cannot read"):
        ChatTemplate.read(str(tmp_path / "missing"))
