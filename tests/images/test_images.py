"""Dockerfiles, the order of builds, the lock, and what names of images stand for. No engine is needed."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from places import ROOT
from render_examples import make_study

from kftune.cli import main
from kftune.errors import ContainerError, RenderError, UnknownNameError
from kftune.images import Lock, LockedImage, find_lock, lock_of, read_lock, resolve
from kftune.images.build import version_of
from kftune.images.source import find_sources, with_bases
from kftune.images.wheel import requirements
from kftune.render import render

ALL = sorted((ROOT / "images").glob("*/Dockerfile"))
DOCKERFILES = [path for path in ALL if path.parent.name != "yolo"]
"""Those that stand alone; yolo is built on train."""
YOLO = ROOT / "images" / "yolo" / "Dockerfile"
DIGEST = "sha256:" + 64 * "a"
PUSHED = f"registry.example/team/train@{DIGEST}"
TRAIN = LockedImage("localhost/train:1", DIGEST, "abc", "python:3.11", PUSHED)
UNPUSHED = LockedImage("localhost/launcher:1", DIGEST, "abc", "python:3.11")

SECRETIVE = re.compile(r"token|passw|secret|credential|_key\b", re.I)


def steps(dockerfile: Path) -> list[list[str]]:
    """Each instruction with its value, continued lines joined and comments left out."""
    lines = [line for line in dockerfile.read_text().splitlines() if line.strip() and not line.startswith("#")]
    return [line.split(maxsplit=1) for line in "\n".join(lines).replace("\\\n", "").splitlines()]


def project(root: Path, **bases: str) -> Path:
    """A project whose images are built on these bases."""
    for name, base in bases.items():
        (root / "images" / name).mkdir(parents=True)
        (root / "images" / name / "Dockerfile").write_text(f"ARG BASE_IMAGE={base}\nFROM ${{BASE_IMAGE}}\n")
    return root


def locked(root: Path, **images: LockedImage) -> Path:
    Lock(root / "images" / "images.lock.json", images or {"train": TRAIN, "launcher": UNPUSHED}).write()
    return root


# -- Dockerfiles ---------------------------------------------------------------------------------------------------


def test_there_is_an_image_that_trains_and_one_that_launches():
    assert [path.parent.name for path in ALL] == ["earlystopping", "launcher", "train", "yolo"]


HADOLINT = shutil.which("hadolint", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")


@pytest.mark.skipif(HADOLINT is None, reason="hadolint is not installed; make setup brings it")
def test_hadolint_finds_nothing():
    done = subprocess.run([str(HADOLINT), *ALL], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


def test_the_first_layers_are_the_same_in_every_image():
    def shared(dockerfile):
        found = steps(dockerfile)
        return found[: found.index(["RUN", "pip install --requirement /opt/kftune/core.txt"]) + 1]

    first, *others = map(shared, DOCKERFILES)
    assert len(first) > 7
    assert all(other == first for other in others)


@pytest.mark.parametrize("dockerfile", DOCKERFILES, ids=lambda path: path.parent.name)
def test_a_change_of_kftune_alone_installs_no_other_package_again(dockerfile):
    found = steps(dockerfile)
    wheel = found.index(["COPY", "images/kftune/*.whl /opt/kftune/"])
    installs = [value for word, value in found[wheel:] if word == "RUN"]
    assert installs == ["pip install --no-deps --no-index /opt/kftune/*.whl"]


@pytest.mark.parametrize("dockerfile", DOCKERFILES, ids=lambda path: path.parent.name)
def test_an_image_runs_as_a_numbered_user_and_can_be_built_on_a_pinned_base(dockerfile):
    found = steps(dockerfile)
    assert found[0] == ["ARG", "BASE_IMAGE=docker.io/library/python:3.11-slim-bookworm"]
    assert [value for word, value in found if word == "USER"] == ["10001:10001"]
    assert [value for word, value in found if word == "FROM"] == ["${BASE_IMAGE}"]
    for word in ("ENTRYPOINT", "CMD"):
        (value,) = [value for step, value in found if step == word]
        assert all(isinstance(token, str) for token in json.loads(value))


@pytest.mark.parametrize("dockerfile", DOCKERFILES, ids=lambda path: path.parent.name)
def test_no_secret_can_get_into_an_image(dockerfile):
    found = steps(dockerfile)
    assert not any(SECRETIVE.search(value) for word, value in found if word in ("ARG", "ENV", "RUN"))
    sources = [source for word, value in found if word == "COPY" for source in value.split()[:-1]]
    assert all(source.startswith("images/kftune/") for source in sources)
    assert "ADD" not in {word for word, _ in found}
    for ignored in (dockerfile.with_name("Dockerfile.dockerignore"), ROOT / ".dockerignore"):
        rules = [line for line in ignored.read_text().splitlines() if not line.startswith("#")]
        assert rules == ["*", "!images/kftune"]


def test_what_an_image_installs_is_pinned():
    pins = set(re.findall(r"^([\w.-]+)==", (ROOT / "constraints.txt").read_text().lower(), re.M))
    named = {name for path in DOCKERFILES for name in re.findall(r"/opt/kftune/([\w-]+)\.txt", path.read_text())}
    installed = named - {"constraints"}
    assert installed == {"core", "cluster", "katib", "train", "model-registry"}
    needed = requirements()
    assert {re.split(r"[^\w.-]", line)[0] for name in installed for line in needed[name]} <= pins


def test_the_image_for_yolo_is_built_on_the_one_that_trains_and_only_when_it_is_named():
    source = find_sources(ROOT)["yolo"]
    assert (source.below, source.user) == ("train", "10001")
    assert "AGPL-3.0" in source.opt_in
    assert [name for name, other in find_sources(ROOT).items() if other.opt_in] == ["yolo"]


def test_the_image_for_yolo_takes_nothing_from_the_project():
    assert not {"COPY", "ADD"} & {word for word, _ in steps(YOLO)}
    rules = YOLO.with_name("Dockerfile.dockerignore").read_text().splitlines()
    assert [rule for rule in rules if not rule.startswith("#")] == ["*"]


def test_the_image_for_yolo_installs_the_versions_with_which_it_was_tried():
    installed = dict(re.findall(r"([\w-]+)==([\w.]+)", YOLO.read_text()))
    tried = (
        (ROOT / "pipelines" / "yolo" / "constraints.txt")
        .read_text()
        .replace("opencv-python=", "opencv-python-headless=")
    )
    pins = dict(re.findall(r"^([\w.-]+)==([\w.]+)", f"{(ROOT / 'constraints.txt').read_text()}\n{tried}", re.M))
    assert installed == {name: pins[name] for name in installed}
    assert set(dict(re.findall(r"^([\w.-]+)==([\w.]+)", tried, re.M))) - set(installed) == {"torch"}


# -- order ---------------------------------------------------------------------------------------------------------


def test_an_image_comes_after_the_one_that_it_is_built_on(tmp_path):
    sources = find_sources(project(tmp_path, a="images/c", b="python:3.11", c="images/z", z="python:3.11"))
    assert list(sources) == ["z", "c", "a", "b"]
    assert [source.name for source in with_bases(["images/c"], sources)] == ["z", "c"]
    assert [source.name for source in with_bases([], sources)] == ["z", "c", "a", "b"]
    assert (sources["a"].below, sources["b"].below) == ("c", None)


def test_an_image_is_opt_in_by_a_comment(tmp_path):
    project(tmp_path, a="python:3.11", b="python:3.11")
    path = tmp_path / "images" / "b" / "Dockerfile"
    path.write_text(f"# opt-in: it is large\n{path.read_text()}")
    assert {name: source.opt_in for name, source in find_sources(tmp_path).items()} == {"a": "", "b": "it is large"}


@pytest.mark.parametrize(
    ("bases", "words"),
    [
        ({}, "images are built from .*images/NAME/Dockerfile, but there is none"),
        ({"a": "images/b", "b": "images/a"}, "in a cycle: a on b on a"),
        ({"Train": "python:3.11"}, "the folder of an image is named with lower-case letters, .* but got 'Train'"),
    ],
)
def test_images_that_cannot_be_built_are_told(tmp_path, bases, words):
    with pytest.raises(ContainerError, match=words):
        find_sources(project(tmp_path, **bases))


def test_an_unknown_image_is_told_with_the_near_ones(tmp_path):
    sources = find_sources(project(tmp_path, train="python:3.11"))
    with pytest.raises(UnknownNameError, match="unknown image 'trian'; did you mean 'train'"):
        with_bases(["trian"], sources)
    with pytest.raises(UnknownNameError, match="base image of images/x: 'trian'; did you mean 'train'"):
        find_sources(project(tmp_path, x="images/trian"))


def test_an_image_of_kftune_that_the_project_lacks_is_told(tmp_path):
    with pytest.raises(
        ContainerError, match="images/launcher is not in this project yet; write it: kftune images init l"
    ):
        with_bases(["images/launcher/"], find_sources(project(tmp_path, train="python:3.11")))


def test_a_base_that_cannot_be_pinned_is_refused(tmp_path):
    project(tmp_path, a="python:3.11")
    (tmp_path / "images" / "a" / "Dockerfile").write_text("FROM python:3.11\n")
    with pytest.raises(ContainerError, match="a/Dockerfile must begin with ARG BASE_IMAGE="):
        find_sources(tmp_path)


# -- git -----------------------------------------------------------------------------------------------------------


def git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
    return subprocess.run(
        ["git", *identity, "-C", folder, *arguments], capture_output=True, text=True, check=True
    ).stdout.strip()


def test_the_tag_is_the_commit_and_says_when_files_differ_from_it(tmp_path):
    project(tmp_path, a="python:3.11")
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-qm", "first")
    commit = git(tmp_path, "rev-parse", "HEAD")
    assert version_of(tmp_path) == (commit, commit[:12])
    locked(tmp_path)  # the lock that a build leaves must not make the next one dirty
    assert version_of(tmp_path) == (commit, commit[:12])
    (tmp_path / "new.py").touch()
    assert version_of(tmp_path) == (f"{commit}-dirty", f"{commit[:12]}-dirty")
    assert version_of(tmp_path, "2026.11.21-rc1") == (f"{commit}-dirty", "2026.11.21-rc1")
    assert version_of(tmp_path).local("a") == f"localhost/a:{commit[:12]}-dirty"


def test_without_git_a_tag_is_asked_for(tmp_path, monkeypatch):
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    with pytest.raises(ContainerError, match=r"by git revision, but git: .*; or give a tag: --tag 1\.2\.3"):
        version_of(tmp_path)
    assert version_of(tmp_path, "1.2") == ("unknown", "1.2")


# -- lock ----------------------------------------------------------------------------------------------------------


def test_a_lock_is_read_as_it_was_written(tmp_path):
    locked(tmp_path)
    lock = lock_of(tmp_path)
    assert lock.images == {"launcher": UNPUSHED, "train": TRAIN}
    assert list(json.loads(lock.path.read_text())["images"]) == ["launcher", "train"]
    assert lock.image("images/train") == lock.image("train") == TRAIN
    assert lock_of(tmp_path / "elsewhere").images == {}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "is not a lock of images"),
        ("[]", "is not a lock of images"),
        ('{"version": 2}', "must have version 1, but has 2"),
        ('{"version": 1}', "is not a lock of images: KeyError"),
        ('{"version": 1, "images": {"a": {"local": "x"}}}', "is not a lock of images: KeyError"),
        (
            '{"version": 1, "images": {"a": {"local": 1, "id": "", "revision": "", "base": "", "pushed": null}}}',
            "an image's values are texts",
        ),
    ],
)
def test_a_file_that_is_no_lock_is_refused(tmp_path, text, words):
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "images.lock.json").write_text(text)
    with pytest.raises(ContainerError, match=words):
        read_lock(tmp_path / "images" / "images.lock.json")


def test_a_name_stands_for_a_digest_on_a_cluster_and_for_a_tag_here(tmp_path):
    study = tmp_path / "pipelines" / "circuits" / "study.yaml"
    locked(tmp_path)
    assert resolve("images/train", study) == PUSHED
    assert resolve("images/train", study, "here") == "localhost/train:1"
    assert resolve("images/launcher", study, "here") == "localhost/launcher:1"
    assert resolve("registry.example/team/train:1", Path("/")) == "registry.example/team/train:1"
    assert find_lock(Path("/")) is None


@pytest.mark.parametrize(
    ("image", "error", "words"),
    [
        (
            "images/launcher",
            ContainerError,
            r"images/launcher is only localhost/launcher:1 on .*: kftune images build launcher --push",
        ),
        ("images/trian", UnknownNameError, r"unknown image in .*images\.lock\.json 'trian'; did you mean 'train'"),
    ],
)
def test_what_a_cluster_cannot_pull_is_refused(tmp_path, image, error, words):
    with pytest.raises(error, match=words):
        resolve(image, locked(tmp_path))


def test_without_a_lock_the_remedy_is_a_build(tmp_path):
    with pytest.raises(ContainerError, match=r"no images/images\.lock\.json above .*: kftune images build train"):
        resolve("images/train", tmp_path / "study.yaml")


# -- studies and commands ------------------------------------------------------------------------------------------


def test_a_study_that_names_an_image_of_the_project_is_rendered_with_its_digest(tmp_path):
    study = make_study(step={"image": "images/train", "command": ["train"]})
    text = str(render(study.with_images(lambda image: resolve(image, locked(tmp_path) / "study.yaml"))).documents)
    assert PUSHED in text
    assert "images/train" not in text
    other = make_study()
    assert other.with_images(lambda image: resolve(image, tmp_path)) == other
    with pytest.raises(RenderError, match="images/train is an image of the project; resolve it first"):
        render(study)


STUDY = """\
name: toy
hparams: LstmHparams
objective: {metric: val_loss, direction: minimize}
budget: {max_trials: 3}
step: {image: images/train, module: kftune.training, args: [lstm]}
"""


def test_render_and_lint_look_the_image_up(tmp_path, capsys):
    study = tmp_path / "study.yaml"
    study.write_text(STUDY)
    assert main(["render", str(study)]) == 2
    assert "kftune images build train" in capsys.readouterr().err
    locked(tmp_path)
    assert main(["render", str(study)]) == 0
    assert f"image: {PUSHED}" in capsys.readouterr().out
    assert main(["lint", str(study)]) == 0
    assert "KT256" not in capsys.readouterr().out


def test_the_list_shows_what_was_built_of_each_image(tmp_path, capsys):
    locked(project(tmp_path, train="python:3.11", other="images/train"), train=TRAIN)
    assert main(["images", "list", "--root", str(tmp_path)]) == 0
    assert [line.split() for line in capsys.readouterr().out.splitlines()] == [
        ["image", "base", "built", "pushed"],
        ["train", "python:3.11", "localhost/train:1", PUSHED],
        ["other", "images/train", "not", "built"],
    ]
    assert main(["images", "list", "other", "--root", str(tmp_path), "--format", "json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert [(each["name"], each["built"] and each["built"]["pushed"]) for each in listed] == [
        ("train", PUSHED),
        ("other", None),
    ]
    assert main(["images", "list", "--root", str(tmp_path), "--format", "names"]) == 0
    assert capsys.readouterr().out == "train\nother\n"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["build"], "images are built from images/NAME/Dockerfile, but there is none; kftune images init launcher"),
        (["list"], "images are built from images/NAME/Dockerfile, but there is none"),
        (["list", "--push", "registry.example"], "--push, --base and --flag are options of kftune images build"),
        (["list", "--tag", "1"], "--tag is an option of kftune images build and kftune images lock"),
        (["lock", "--format", "json"], "--format is an option of kftune images list"),
        (
            ["init", "launcher", "--push", "registry.example"],
            "--push, --base and --flag are options of kftune images b",
        ),
        (["init"], "kftune images init takes the NAME of an image of kftune: earlystopping or launcher or train"),
        (["init", "images/laucher"], "unknown image of kftune 'laucher'; did you mean 'launcher'?"),
        (["init", "train", "--root", "none"], "but none is no folder; create it, or correct --root"),
        (["packages"], "kftune images packages takes one NAME"),
        (["packages", "train"], "unknown image in images/images.lock.json 'train'; there are none"),
        (["biuld"], "must be one of init, list, build, lock, packages, but got 'biuld'; did you mean 'build'?"),
    ],
)
def test_mistakes_are_told_and_end_with_2(tmp_path, capsys, monkeypatch, arguments, words):
    engine = tmp_path / "podman"
    engine.write_text('#!/bin/sh\necho \'{"host": {"security": {"rootless": false}}}\'\n')
    engine.chmod(0o755)
    monkeypatch.setenv("KFTUNE_CONTAINER_ENGINE", str(engine))
    monkeypatch.chdir(tmp_path)
    assert main(["images", *arguments]) == 2
    assert words in capsys.readouterr().err
