"""kftune's own images in a project: what `kftune images init` writes, and the kftune that they install."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import os
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from places import ROOT

from kftune import __version__
from kftune.cli import main
from kftune.errors import ContainerError
from kftune.images.own import init_images, own_images, write_kftune
from kftune.images.source import find_sources
from kftune.images.wheel import requirements, running_wheel

WHEEL = f"kftune-{__version__}-py3-none-any.whl"
FILES = ROOT / "src" / "kftune" / "images" / "files"


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def kftune(folder: Path, *arguments: str, path: Path, options: tuple[str, ...] = ()) -> tuple[int, str]:
    """Exit code and output of the kftune that Python finds in `path`."""
    command = [sys.executable, *options, "-m", "kftune", *arguments]
    done = subprocess.run(
        command, cwd=folder, env={**os.environ, "PYTHONPATH": str(path)}, capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout + done.stderr


# -- the same files in kftune and in this repository -----------------------------------------------------------------


def test_the_images_of_this_repository_are_those_that_a_project_gets():
    """After a change of one, copy it: cp -r images/launcher src/kftune/images/files."""
    assert own_images() == ["earlystopping", "launcher", "train"]
    assert {name: contents(ROOT / "images" / name) for name in own_images()} == {
        name: contents(FILES / name) for name in own_images()
    }


def test_the_versions_of_this_repository_are_those_that_a_project_gets():
    assert (ROOT / "constraints.txt").resolve() == FILES / "constraints.txt"


# -- the wheel -------------------------------------------------------------------------------------------------------


def test_the_wheel_has_the_package_and_nothing_that_running_left():
    name, content = running_wheel()
    assert name == WHEEL
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        packed = {entry: archive.read(entry) for entry in archive.namelist()}
    info = f"kftune-{__version__}.dist-info"
    package = {f"kftune/{path}": data for path, data in contents(ROOT / "src" / "kftune").items()}
    assert {entry: data for entry, data in packed.items() if not entry.startswith(info)} == {
        path: data for path, data in package.items() if "__pycache__" not in path
    }
    rows = list(csv.reader(packed[f"{info}/RECORD"].decode().splitlines()))
    assert [row[0] for row in rows] == list(packed)
    for path, digest, size in rows[:-1]:
        expected = base64.urlsafe_b64encode(hashlib.sha256(packed[path]).digest()).decode().rstrip("=")
        assert (digest, size) == (f"sha256={expected}", str(len(packed[path])))
    for entry in ("METADATA", "WHEEL", "entry_points.txt", "licenses/LICENSE"):
        assert packed[f"{info}/{entry}"]


def test_the_same_files_make_the_same_wheel():
    assert running_wheel() == running_wheel()


def test_a_requirement_is_under_the_extra_that_needs_it():
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = declared["optional-dependencies"]
    copied = {name: extras[name] for name in ("cluster", "train", "model-registry", "kfp", "katib")}

    def read(lines: list[str]) -> set[tuple[str, str]]:
        return {(each.name.lower(), str(each.specifier)) for each in map(Requirement, lines)}

    needed = requirements()
    assert set(needed) == {"core", *extras}
    assert {name: read(needed[name]) for name in ("core", *copied)} == {
        "core": read(declared["dependencies"]),
        **{name: read(lines) for name, lines in copied.items()},
    }


def test_a_kftune_installed_from_the_wheel_writes_what_this_one_writes(tmp_path):
    here, there, installed = (tmp_path / name for name in ("here", "there", "installed"))
    here.mkdir()
    there.mkdir()
    init_images(here, ["launcher", "train"])
    write_kftune(here)
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--target", installed]
    subprocess.run([*pip, here / "images" / "kftune" / WHEEL], check=True)
    code, printed = kftune(there, "images", "init", "launcher", "train", path=installed)
    assert code == 0, printed
    assert contents(there) == contents(here)


def test_a_kftune_without_a_list_of_its_files_makes_the_same_wheel(tmp_path):
    """Distributions of Linux install packages without RECORD."""
    installed = tmp_path / "installed"
    name, content = running_wheel()
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        archive.extractall(installed)
    (installed / f"kftune-{__version__}.dist-info" / "RECORD").unlink()
    code, printed = kftune(tmp_path, "images", "init", "launcher", path=installed)
    assert code == 0, printed
    assert (tmp_path / "images" / "kftune" / name).read_bytes() == content


def test_a_kftune_that_is_not_installed_is_told(tmp_path):
    # Without the folders of installed packages.
    code, printed = kftune(tmp_path, "images", "init", "launcher", path=ROOT / "src", options=("-S",))
    assert code == 2
    assert re.search(
        r"kftune: an image gets the kftune that runs, .* src/kftune is not installed; install kftune again",
        printed.replace(str(ROOT) + "/", " "),
    )


@pytest.mark.parametrize(
    ("metadata", "says"),
    [("Metadata-Version: 2.1\nName: kftune\nVersion: 9.8.7\n", "9.8.7"), ("", "nothing")],
)
def test_an_installation_of_another_version_is_told(tmp_path, metadata, says):
    info = tmp_path / "kftune-9.8.7.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(metadata)
    code, printed = kftune(tmp_path, "images", "init", "launcher", path=tmp_path)
    assert code == 2
    assert f"which is {__version__} in" in printed
    assert f"but its installation says {says}; install kftune again with pip" in printed


# -- the folder that images copy from --------------------------------------------------------------------------------


def test_a_second_write_touches_nothing_and_removes_what_an_older_kftune_left(tmp_path):
    folder = write_kftune(tmp_path)
    wheel, old = folder / WHEEL, folder / "kftune-0.0.1-py3-none-any.whl"
    before = wheel.stat().st_mtime_ns, wheel.stat().st_ino
    old.touch()
    with (folder / ".kftune-files").open("a") as listed:
        listed.write(f"{old.name}\n")
    (folder / "notes.md").touch()
    assert write_kftune(tmp_path) == folder
    assert (wheel.stat().st_mtime_ns, wheel.stat().st_ino) == before
    assert not old.exists()
    assert (folder / "notes.md").exists()


def test_git_ignores_the_folder_and_sees_the_image(tmp_path):
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    init_images(tmp_path, ["launcher"])
    write_kftune(tmp_path)
    done = subprocess.run(
        ["git", "-C", tmp_path, "status", "--porcelain", "-uall"], capture_output=True, text=True, check=True
    )
    assert done.stdout == "?? images/launcher/Dockerfile\n?? images/launcher/Dockerfile.dockerignore\n"


def test_a_folder_of_that_name_with_other_files_is_left_alone(tmp_path):
    image = tmp_path / "images" / "kftune"
    image.mkdir(parents=True)
    (image / "Dockerfile").touch()
    with pytest.raises(ContainerError, match="but it has other files: Dockerfile; give that folder another name"):
        write_kftune(tmp_path)
    assert [path.name for path in image.iterdir()] == ["Dockerfile"]


def test_an_image_that_copies_from_the_folder_is_known(tmp_path):
    init_images(tmp_path, ["launcher"])
    own = tmp_path / "images" / "own"
    own.mkdir()
    (own / "Dockerfile").write_text("ARG BASE_IMAGE=images/launcher\nFROM ${BASE_IMAGE}\n")
    assert {name: source.with_kftune for name, source in find_sources(tmp_path).items()} == {
        "launcher": True,
        "own": False,
    }


# -- kftune images init ----------------------------------------------------------------------------------------------


def test_init_says_what_it_wrote_and_what_to_do_next(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert main(["images", "init", "images/launcher"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "wrote images/launcher/Dockerfile",
        "wrote images/launcher/Dockerfile.dockerignore",
        "wrote images/kftune, the kftune that they install",
        "next: kftune images build images/launcher --tag 1",  # git has no revision for the tag
    ]
    subprocess.run(["git", "init", "-q"], check=True)
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
    subprocess.run(["git", *identity, "commit", "-q", "--allow-empty", "-m", "first"], check=True)
    assert main(["images", "init", "launcher", "--root", str(tmp_path)]) == 0
    assert capsys.readouterr().out.splitlines()[-2:] == [
        f"wrote {tmp_path}/images/kftune, the kftune that they install",
        f"next: kftune images build launcher --root {tmp_path}",
    ]


def test_what_a_project_changed_stays_and_is_told(tmp_path, capsys):
    init_images(tmp_path, ["launcher"])
    changed = tmp_path / "images" / "launcher" / "Dockerfile"
    changed.write_text("ARG BASE_IMAGE=python:3.12\nFROM ${BASE_IMAGE}\n")
    changed.with_name("Dockerfile.dockerignore").unlink()
    assert main(["images", "init", "launcher", "train", "--root", str(tmp_path)]) == 0
    printed = capsys.readouterr().out
    assert f"kept {changed}, which differs from kftune's; move it away to get that of kftune {__version__}" in printed
    assert changed.read_text().startswith("ARG BASE_IMAGE=python:3.12")
    assert contents(tmp_path / "images" / "train") == contents(FILES / "train")
    assert changed.with_name("Dockerfile.dockerignore").exists()


@pytest.mark.parametrize(
    ("made", "words"), [("images", "images/launcher: "), ("images/launcher/Dockerfile/x", "Dockerfile: Is a directory")]
)
def test_what_is_in_the_way_is_told(tmp_path, capsys, monkeypatch, made, words):
    monkeypatch.chdir(tmp_path)
    (tmp_path / made).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / made).touch()
    assert main(["images", "init", "launcher"]) == 2
    assert words in capsys.readouterr().err
