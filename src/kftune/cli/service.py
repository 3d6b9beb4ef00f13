"""`kftune render --with-service`: what registers kftune's early stopping service on a cluster."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any, NamedTuple

from kftune import yaml_text
from kftune.errors import ContainerError, UnknownNameError, UsageError, near_files
from kftune.files import write_text
from kftune.images import resolve
from kftune.runs import YAML_SUFFIXES

IMAGE = "images/earlystopping"
"""The image of a project that has the service."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments.

    Args:
        parser: That of `kftune render`.
    """
    from kftune.cli.arguments import a_path

    group = parser.add_argument_group("Katib's early stopping by kftune's rules")
    group.add_argument(
        "--with-service", action="store_true", help="also write what an administrator applies to have the service"
    )
    group.add_argument(
        "--katib-config",
        type=a_path,
        metavar="FILE",
        help="the cluster's ConfigMap katib-config, to add the service to",
    )
    group.add_argument("--service-image", metavar="IMAGE", help=f"the image of the service (default: {IMAGE})")


def check(arguments: argparse.Namespace) -> None:
    """Checks that the arguments belong together.

    Raises:
        UsageError: They do not.
    """
    if not arguments.with_service:
        given = [name for name in ("katib_config", "service_image") if getattr(arguments, name) is not None]
        if given:
            raise UsageError(f"--{given[0].replace('_', '-')} belongs to --with-service; add it, or leave both out")
        return
    if arguments.out is None or arguments.out.suffix in (*YAML_SUFFIXES, ".json"):
        raise UsageError("--with-service writes another file than the manifests, so it needs a folder: --out DIR")
    if arguments.katib_config is not None and not arguments.katib_config.is_file():
        raise UsageError(
            f"--katib-config takes a file, but {arguments.katib_config} is none"
            f"{near_files(str(arguments.katib_config))}; write it: "
            f"kubectl get configmap katib-config --namespace kubeflow --output yaml > katib-config.yaml"
        )


class Registration(NamedTuple):
    """A file that registers the service."""

    path: Path
    document: dict[str, Any]
    how: str
    """How it is applied."""

    def write(self) -> None:
        """Writes the file, and says how it is applied."""
        write_text(self.path, yaml_text.dump(self.document))
        print(f"wrote {self.path}")
        print(f"note: {self.how}", file=sys.stderr)


def registration(arguments: argparse.Namespace) -> Registration:
    """Returns what registers the service.

    Args:
        arguments: Those of `kftune render`.

    Raises:
        KftuneError: The image is not known, or the given configuration is none.
    """
    from kftune.render.service import fragment, registered

    image = _image(arguments)
    if arguments.katib_config is None:
        path = arguments.out / "katib-early-stopping.yaml"
        return Registration(
            path,
            fragment(image),
            f"an administrator adds the entries in {path} to runtime.earlyStoppings in the ConfigMap katib-config; "
            f"with --katib-config FILE kftune does it: write FILE with kubectl get configmap katib-config "
            f"--namespace kubeflow --output yaml",
        )
    path = arguments.out / "katib-config.yaml"
    try:
        text = arguments.katib_config.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise UsageError(f"{arguments.katib_config} must be YAML in UTF-8, but is not: {error}") from error
    return Registration(
        path,
        registered(text, str(arguments.katib_config), image),
        f"an administrator applies {path} with kubectl replace --filename {path}, which refuses it if the ConfigMap "
        f"has changed since",
    )


def _image(arguments: argparse.Namespace) -> str:
    near = arguments.all or arguments.file
    if arguments.service_image is not None:
        return resolve(arguments.service_image, near)
    try:
        return resolve(IMAGE, near)
    except (ContainerError, UnknownNameError) as error:
        raise UsageError(
            f"--with-service needs the image of the service: {error}; or name it: --service-image"
        ) from error
