"""Makes the images of the cluster: one for each program of a component, and those with Python from Dockerfiles."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from cluster.commands import run, succeeds
from cluster.components import ARGO, COREDNS, JOBSET, KATIB, OPERATOR, PAUSE, PGREP, S3, TRAINER, Component
from cluster.layout import CACHE, IMAGE_PREFIX, IMAGES, ROOT, digest_of, program_image
from kftune.images.own import write_kftune

_STORE = CACHE / "images"
_USERS = "root:x:0:0::/:\nnobody:x:65534:65534::/:\nargo:x:8737:8737::/tmp:\n"


class ProgramImage(NamedTuple):
    """An image with one program and those that it runs, and nothing else."""

    name: str
    component: Component
    program: str
    place: str
    """Its folder in the image, which is the working directory."""
    user: str = "65534"
    runs: tuple[tuple[Component, str], ...] = ()
    """Other programs, which it finds in its PATH."""

    @property
    def reference(self) -> str:
        return program_image(self.name)

    @property
    def digest(self) -> str:
        """12 characters that change with the programs."""
        digests = [component.built.name.rpartition("-")[2] for component in self.components]
        return digests[0] if not self.runs else digest_of([], *digests)

    @property
    def components(self) -> list[Component]:
        return [self.component, *(component for component, _ in self.runs)]


PROGRAM_IMAGES = (
    ProgramImage("pause", PAUSE, "pause", "/"),
    ProgramImage("coredns", COREDNS, "coredns", "/"),
    ProgramImage("s3", S3, "gofakes3", "/"),
    ProgramImage("jobset", JOBSET, "manager", "/"),
    ProgramImage("trainer", TRAINER, "manager", "/"),
    ProgramImage("training-operator", OPERATOR, "manager", "/"),
    ProgramImage("katib-controller", KATIB, "katib-controller", "/"),
    ProgramImage("katib-db-manager", KATIB, "katib-db-manager", "/app"),
    ProgramImage("suggestion-goptuna", KATIB, "goptuna-suggestion", "/opt/katib", "0"),
    ProgramImage("file-metrics-collector", KATIB, "file-metricscollector", "/app", "0", ((PGREP, "pgrep"),)),
    ProgramImage("workflow-controller", ARGO, "workflow-controller", "/bin", "8737"),
    ProgramImage("argoexec", ARGO, "argoexec", "/bin", "0"),
)


class PythonImage(NamedTuple):
    """An image that docker or podman builds from this checkout."""

    name: str
    dockerfile: Path
    context: Path
    sources: tuple[str, ...]
    """What its content depends on, beside the Dockerfile: patterns in the checkout."""

    @property
    def reference(self) -> str:
        """Named after its content, so that an old build is never taken for a new one."""
        found = (path for pattern in self.sources for path in ROOT.glob(pattern))
        paths = [path for path in found if path.is_file() and "__pycache__" not in path.parts]
        return f"{IMAGE_PREFIX}{self.name}:{digest_of([self.dockerfile, *paths])}"


LAUNCHER = PythonImage(
    "launcher", ROOT / "images" / "launcher" / "Dockerfile", ROOT, ("src/kftune/**/*", "pyproject.toml")
)
EARLY_STOPPING = PythonImage(
    "earlystopping", ROOT / "images" / "earlystopping" / "Dockerfile", ROOT, ("src/kftune/**/*", "pyproject.toml")
)
POSTGRES = PythonImage(
    "postgres", IMAGES / "postgres" / "Dockerfile", IMAGES / "postgres", ("tests/cluster/images/postgres/*",)
)
AS_ROOT = PythonImage("root", IMAGES / "root" / "Dockerfile", IMAGES / "root", ("tests/cluster/images/root/*",))
PYTHON_IMAGES = (LAUNCHER, EARLY_STOPPING, POSTGRES, AS_ROOT)


def archives(engine: str, flags: Sequence[str]) -> list[Path]:
    """Makes what is not there yet, and returns an archive of each image.

    Args:
        engine: docker or podman.
        flags: More options for its build command.
    """
    _STORE.mkdir(parents=True, exist_ok=True)
    made = [_archive_of_program(image) for image in PROGRAM_IMAGES]
    return made + [_archive_of_build(image, engine, flags) for image in PYTHON_IMAGES]


def _archive_of_program(image: ProgramImage) -> Path:
    path = _STORE / f"{image.name}-{image.digest}.tar"
    if not path.exists():
        write_image(image, path)
    return path


def _archive_of_build(image: PythonImage, engine: str, flags: Sequence[str]) -> Path:
    path = _STORE / f"{image.name}-{image.reference.rpartition(':')[2]}.tar"
    if path.exists():
        return path
    print(f"building the image {image.reference} …", flush=True)
    if image.context == ROOT:
        write_kftune(ROOT)
    run(
        engine,
        "build",
        *flags,
        "--tag",
        image.reference,
        "--file",
        image.dockerfile,
        image.context,
        BUILDAH_FORMAT="docker",
    )
    unfinished = path.with_suffix(".new")
    unfinished.unlink(missing_ok=True)
    form = ["--format=docker-archive"] if engine.endswith("podman") else []
    run(engine, "save", *form, "--output", unfinished, image.reference)
    unfinished.rename(path)
    for stale in _STORE.glob(f"{image.name}-*.tar"):
        if stale != path:
            stale.unlink()
    return path


def write_image(image: ProgramImage, path: Path) -> None:
    """Writes an image in the form of `docker save`: a layer, a config that names its digest, and a list of both."""
    layer = _tar(_files_of(image))
    config = json.dumps(
        {
            "architecture": "amd64",
            "os": "linux",
            "config": {
                "Entrypoint": [str(Path(image.place) / image.program)],
                "WorkingDir": image.place,
                "User": image.user,
                "Env": ["PATH=/bin", "HOME=/tmp"],
            },
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(layer).hexdigest()}"]},
            "history": [{"created_by": "kftune's tests/cluster"}],
        }
    ).encode()
    listed = [{"Config": "config.json", "RepoTags": [image.reference], "Layers": ["layer.tar"]}]
    unfinished = path.with_suffix(".new")
    files = {"config.json": config, "layer.tar": layer, "manifest.json": json.dumps(listed).encode()}
    unfinished.write_bytes(_tar(_file(name, content) for name, content in files.items()))
    unfinished.rename(path)


def _files_of(image: ProgramImage) -> Iterator[tuple[tarfile.TarInfo, bytes]]:
    for name, mode in (("tmp", 0o1777), ("etc", 0o755), *((name, 0o755) for name in _parents(image.place))):
        folder = tarfile.TarInfo(name)
        folder.type, folder.mode = tarfile.DIRTYPE, mode
        yield folder, b""
    yield _file("etc/passwd", _USERS.encode())
    program = image.component.program(image.program).read_bytes()
    yield _file(str(Path(image.place) / image.program).lstrip("/"), program, 0o755)
    for component, name in image.runs:
        yield _file(f"bin/{name}", component.program(name).read_bytes(), 0o755)


def _parents(place: str) -> list[str]:
    path = Path(place.lstrip("/"))
    return [str(each) for each in reversed([path, *path.parents]) if str(each) != "."]


def _file(name: str, content: bytes, mode: int = 0o644) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.size, info.mode = len(content), mode
    return info, content


def _tar(files: Iterable[tuple[tarfile.TarInfo, bytes]]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for info, content in files:
            archive.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def engine_for_builds() -> str:
    """Returns docker where its engine answers, podman otherwise."""
    return "docker" if succeeds("docker", "info") else "podman"
