"""Builds the images of a project from images/NAME/Dockerfile, and locks what was built.

kftune images init launcher                           write images/launcher, the image of tune steps
kftune images init train                              write images/train, which trains kftune's own models
kftune images list                                    list the images, and what was last built of each
kftune images build                                   build all that are not opt-in, as localhost/NAME:GIT-REVISION
kftune images build train --push registry.example/team
kftune images lock                                    write images/images.lock.json from existing images
kftune images packages train                          list the Python packages in an image

A study names such an image by its folder: `image: images/train`. docker or podman builds it;
KFTUNE_CONTAINER_ENGINE selects one. An image installs the kftune that builds it, from images/kftune:
init and build write this folder, git ignores it.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path
from shlex import quote

from kftune._version import __version__
from kftune.cli.arguments import a_path
from kftune.cli.table import table
from kftune.containers import find_engine
from kftune.errors import UsageError
from kftune.images import LockedImage, lock_of


def configure(parser: argparse.ArgumentParser) -> None:
    """Declares the command's arguments."""
    parser.add_argument("action", choices=["init", "list", "build", "lock", "packages"])
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help="names of images (default: all that are not opt-in; init needs them)"
    )
    parser.add_argument("--root", type=a_path, default=Path(), help="folder of the project (default: the current one)")
    parser.add_argument("--push", metavar="REGISTRY", help="push the images, for example to registry.example/team")
    parser.add_argument("--base", metavar="IMAGE", help="base image, for example one with a digest")
    parser.add_argument("--tag", help="tag (default: the git revision)")
    parser.add_argument(
        "--flag",
        action="append",
        default=[],
        metavar="FLAG",
        help="an option for docker or podman build, such as --flag=--pull",
    )
    parser.add_argument("--format", choices=["text", "json", "names"], default="text", help="format of the list")


def run(arguments: argparse.Namespace) -> int:
    """Runs the action."""
    _check_options(arguments)
    if arguments.action == "init":
        _init(arguments)
    elif arguments.action == "list":
        _list(arguments)
    elif arguments.action == "packages":
        _packages(arguments)
    else:
        _build(arguments)
    return 0


def _check_options(arguments: argparse.Namespace) -> None:
    if arguments.action != "build" and (arguments.push or arguments.base or arguments.flag):
        raise UsageError("--push, --base and --flag are options of kftune images build")
    if arguments.action not in ("build", "lock") and arguments.tag:
        raise UsageError("--tag is an option of kftune images build and kftune images lock")
    if arguments.action != "list" and arguments.format != "text":
        raise UsageError("--format is an option of kftune images list")


def _init(arguments: argparse.Namespace) -> None:
    from kftune.images.own import init_images, own_images, write_kftune
    from kftune.revision import revision_of

    if not arguments.names:
        raise UsageError(f"kftune images init takes the NAME of an image of kftune: {' or '.join(own_images())}")
    written, differing = init_images(arguments.root, arguments.names)
    for path in written:
        print(f"wrote {path}")
    for path in differing:
        print(f"kept {path}, which differs from kftune's; move it away to get that of kftune {__version__}")
    print(f"wrote {write_kftune(arguments.root)}, the kftune that they install")
    root = "" if arguments.root == Path() else f" --root {quote(str(arguments.root))}"
    tag = "" if revision_of(arguments.root).commit else " --tag 1"
    print(f"next: kftune images build {' '.join(arguments.names)}{root}{tag}")


def _build(arguments: argparse.Namespace) -> None:
    from kftune.images.build import build_images, lock_images

    engine = find_engine()

    def tell(text: str) -> None:
        print(text, file=sys.stderr)

    if arguments.action == "lock":
        lock = lock_images(engine, arguments.root, arguments.names, tag=arguments.tag, tell=tell)
    else:
        lock = build_images(
            engine,
            arguments.root,
            arguments.names,
            tag=arguments.tag,
            base=arguments.base,
            flags=arguments.flag,
            registry=arguments.push,
            tell=tell,
        )
    print(f"wrote {lock.path}")


def _packages(arguments: argparse.Namespace) -> None:
    from kftune.images.build import python_packages

    if len(arguments.names) != 1:
        raise UsageError("kftune images packages takes one NAME")
    image = lock_of(arguments.root).image(arguments.names[0])
    for package in python_packages(find_engine(), image.local):
        print(package)


def _list(arguments: argparse.Namespace) -> None:
    from kftune.images.source import find_sources, with_bases

    built = lock_of(arguments.root).images
    rows = [(source, built.get(source.name)) for source in with_bases(arguments.names, find_sources(arguments.root))]
    if arguments.format == "json":
        print(json.dumps([_as_json(source.name, source.base, image) for source, image in rows], indent=2))
        return
    if arguments.format == "names":
        print(*(source.name for source, _ in rows), sep="\n")
        return
    cells = [
        [source.name, source.base, *([image.local, image.pushed or "not pushed"] if image else ["not built", ""])]
        for source, image in rows
    ]
    print(table(["image", "base", "built", "pushed"], cells))


def _as_json(name: str, base: str, image: LockedImage | None) -> dict[str, object]:
    return {"name": name, "base": base, "built": None if image is None else asdict(image)}
