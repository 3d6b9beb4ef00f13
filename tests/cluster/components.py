"""Builds the cluster's programs from pinned Go modules, each component once for each state of its files."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from cluster.commands import run
from cluster.layout import CACHE, COMPONENTS, ClusterError, digest_of

_KATIB = "github.com/kubeflow/katib/cmd"
_ARGO = "github.com/argoproj/argo-workflows/v4"
_KUBERNETES = "k8s.io/kubernetes"
_VERSION_PACKAGES = ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version")


class Component(NamedTuple):
    """A Go module, and the programs that are built from it."""

    folder: str
    """In `components/`: its go.mod pins the module and all that it needs."""
    module: str
    programs: dict[str, str]
    """File name -> Go package."""
    lacks: str | None = None
    """A package whose files for Linux are not in the published module; ours are in a folder of its last name."""

    @property
    def source(self) -> Path:
        return COMPONENTS / self.folder

    @property
    def built(self) -> Path:
        """The folder of its programs, named after the state of its files."""
        return CACHE / "programs" / f"{self.folder}-{digest_of(self.files(), *self.programs)}"

    def files(self) -> Iterator[Path]:
        yield from (path for path in self.source.rglob("*") if path.is_file())

    def program(self, name: str) -> Path:
        return self.built / name


def kubernetes(version: str) -> Component:
    """Returns the component of a Kubernetes version.

    Args:
        version: The minor version: 1.36 or 1.34.

    Raises:
        ClusterError: No component has it.
    """
    folder = "kubernetes" if version == "1.36" else f"kubernetes-{version}"
    if not (COMPONENTS / folder).is_dir():
        known = ", ".join(["1.36", *(path.name.partition("-")[2] for path in COMPONENTS.glob("kubernetes-*"))])
        raise ClusterError(f"KUBERNETES must be one of {known}, not {version}")
    return kubernetes_in(folder)


def kubernetes_in(folder: str) -> Component:
    """Returns the component of Kubernetes in a folder of `components/`."""
    names = ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet", "kube-proxy", "kubectl")
    return Component(folder, _KUBERNETES, {name: f"{_KUBERNETES}/cmd/{name}" for name in names})


ETCD = Component("etcd", "go.etcd.io/etcd/server/v3", {"etcd": "go.etcd.io/etcd/server/v3"})
COREDNS = Component("coredns", "github.com/coredns/coredns", {"coredns": "github.com/coredns/coredns"})
PAUSE = Component("pause", "kftune.example/cluster/pause", {"pause": "."})
PGREP = Component("pgrep", "kftune.example/cluster/pgrep", {"pgrep": "."})
S3 = Component(
    "s3", "github.com/johannesboyne/gofakes3", {"gofakes3": "github.com/johannesboyne/gofakes3/cmd/gofakes3"}
)
KATIB = Component(
    "katib",
    "github.com/kubeflow/katib",
    {
        "katib-controller": f"{_KATIB}/katib-controller/v1beta1",
        "katib-db-manager": f"{_KATIB}/db-manager/v1beta1",
        "file-metricscollector": f"{_KATIB}/metricscollector/v1beta1/file-metricscollector",
        "goptuna-suggestion": f"{_KATIB}/suggestion/goptuna/v1beta1",
    },
)
ARGO = Component(
    "argo",
    _ARGO,
    {name: f"{_ARGO}/cmd/{name}" for name in ("workflow-controller", "argoexec")},
    lacks=f"{_ARGO}/workflow/executor/osspecific",
)
JOBSET = Component("jobset", "sigs.k8s.io/jobset", {"manager": "sigs.k8s.io/jobset"})
TRAINER = Component(
    "trainer",
    "github.com/kubeflow/trainer/v2",
    {"manager": "github.com/kubeflow/trainer/v2/cmd/trainer-controller-manager"},
)
OPERATOR = Component(
    "training-operator",
    "github.com/kubeflow/training-operator",
    {"manager": "github.com/kubeflow/training-operator/cmd/training-operator.v1"},
)
ADDONS = (COREDNS, PAUSE, PGREP, S3, JOBSET, TRAINER, OPERATOR, KATIB, ARGO)


def build(component: Component) -> None:
    """Builds the programs of a component, unless this state of its files was built before."""
    if component.built.is_dir():
        return
    began = time.monotonic()
    print(f"building {component.folder} …", flush=True)
    unfinished = component.built.with_name(f".{component.built.name}.new")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    place = _with_all_files(component)
    flags = f"-s -w {_version_flags(component)}"
    for name, package in component.programs.items():
        goal = unfinished / name
        run("go", "build", "-trimpath", f"-ldflags={flags}", "-o", goal, package, folder=place, CGO_ENABLED="0")
    unfinished.rename(component.built)
    for stale in component.built.parent.glob(f"{component.folder}-????????????"):
        if stale != component.built:
            shutil.rmtree(stale)
    print(f"built {component.folder} in {time.monotonic() - began:.0f} s", flush=True)


def version_of(component: Component) -> str:
    """Returns the pinned version of a component's module."""
    return str(_module(component).get("Version", "of this checkout"))


def sources_of(component: Component) -> Path:
    """Returns the folder with the published files of a component's module, its manifests among them."""
    run("go", "mod", "download", component.module, folder=component.source)
    return Path(_module(component)["Dir"])


def _module(component: Component) -> dict[str, str]:
    found: dict[str, str] = json.loads(run("go", "list", "-m", "-json", component.module, folder=component.source))
    return found


def _version_flags(component: Component) -> str:
    """The linker's flags that tell Kubernetes' programs their version."""
    if component.module != _KUBERNETES:
        return ""
    version = version_of(component)
    major, minor, _ = version.removeprefix("v").split(".")
    values = {"gitVersion": version, "gitMajor": major, "gitMinor": minor}
    return " ".join(f"-X {package}.{name}={text}" for package in _VERSION_PACKAGES for name, text in values.items())


def _with_all_files(component: Component) -> Path:
    """Returns the folder to build in: a vendored copy, with our files in it, where the published module lacks some."""
    if component.lacks is None:
        return component.source
    copy = CACHE / "vendored" / component.folder
    shutil.rmtree(copy, ignore_errors=True)
    copy.mkdir(parents=True)
    for name in ("go.mod", "go.sum"):
        shutil.copy(component.source / name, copy)
    run("go", "mod", "vendor", "-e", folder=copy)  # -e: the user interface of Argo is not in its module
    package = copy / "vendor" / component.lacks
    for path in (component.source / package.name).iterdir():
        shutil.copy(path, package)
    return copy
