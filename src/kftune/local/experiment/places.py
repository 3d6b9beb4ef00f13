"""The files and folders here that are used for paths of a trial's container.

What lies below a trial's output folder can be replaced by an earlier try of the trial, so every path goes through
`kftune.confined`.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from kftune import confined
from kftune.errors import RunError
from kftune.katib.go.names import is_config_key
from kftune.local.experiment.metrics import local_folder
from kftune.local.experiment.pod import PodMount, TrialPod
from kftune.local.experiment.template import Options, Template

_CHECKPOINTS = "checkpoints"


class Place(NamedTuple):
    """A file or folder here that is used for a path of the container."""

    path: str
    """In the container."""
    here: Path
    of_trial: bool
    """Whether it is made for the trial."""
    read_only: bool = False


def places_of(pod: TrialPod, output: Path, template: Template, options: Options) -> list[Place]:
    """Returns what is used here for paths of the container; each path is there once.

    Args:
        pod: What the trial runs.
        output: The trial's output folder.
        template: What trials are made from.
        options: How they run.

    Raises:
        ConfinedError: A path leads out of its folder.
    """
    places = {place.path: place for place in _volumes(pod, output, template, options)}
    for path, given in options.mounts.items():
        if path.startswith("/"):
            places[path] = Place(path, given, of_trial=False)
    metrics, checkpoints = template.metrics_folder, template.checkpoints
    if metrics:
        places[metrics] = Place(metrics, local_folder(output, metrics), of_trial=True)
    if checkpoints:
        places[checkpoints] = Place(checkpoints, output / _CHECKPOINTS, of_trial=True)
    return [place for path, place in places.items() if path]


def _volumes(pod: TrialPod, output: Path, template: Template, options: Options) -> Iterator[Place]:
    for mount in pod.mounts:
        given = options.mounts.get(mount.volume)
        if given is not None:
            here = confined.resolved_below(given, mount.sub_path) if mount.sub_path else given
            yield Place(mount.path, here, False, mount.read_only)
        elif is_made_here(mount, template):
            here = confined.below(confined.below(output, mount.volume), mount.sub_path)
            yield Place(mount.path, here, True, mount.read_only)


def is_made_here(mount: PodMount, template: Template) -> bool:
    """Whether the volume is an empty folder, or a ConfigMap of the input.

    Args:
        mount: Where it is mounted.
        template: What trials are made from.
    """
    return mount.kind == "emptyDir" or (mount.kind == "configMap" and mount.source.get("name") in template.config_maps)


def make_places(
    pod: TrialPod, output: Path, places: Sequence[Place], config_maps: Mapping[str, Mapping[str, str]]
) -> None:
    """Makes a trial's folders, with the files of its ConfigMaps.

    Args:
        pod: What the trial runs.
        output: The trial's output folder.
        places: What is used for its paths.
        config_maps: The known ConfigMaps: name -> data.

    Raises:
        RunError: A ConfigMap has a key that Kubernetes refuses.
        ConfinedError: There is a link on the way to a folder.
        OSError: A folder or file cannot be made.
    """
    made = {place.path: place.here for place in places if place.of_trial}
    for mount in pod.mounts:
        if mount.kind == "configMap" and mount.path in made:
            data = _data_of(mount, config_maps)
            if mount.sub_path in data:  # one file, at the path itself
                confined.write(output, made.pop(mount.path), data[mount.sub_path])
                continue
            for name, text in data.items():
                confined.write(output, made[mount.path] / name, text)
    for here in made.values():
        confined.make_folder(output, here)
    working_folder = own_folder(pod, places)
    if working_folder is not None:
        confined.make_folder(output, working_folder)


def _data_of(mount: PodMount, config_maps: Mapping[str, Mapping[str, str]]) -> Mapping[str, str]:
    name = str(mount.source.get("name"))
    data = config_maps.get(name, {})
    wrong = next((key for key in data if not is_config_key(key)), None)
    if wrong is not None:
        raise RunError(
            f"a key of a ConfigMap is letters, digits, '-', '_' and '.', and does not begin with '..', but {name} has "
            f"the key {wrong[:80]!r}; a cluster refuses it too"
        )
    return data


def copy_checkpoints(parent: Path, output: Path) -> None:
    """Gives a trial the checkpoints that it resumes, unless it has some.

    Args:
        parent: The output folder of the trial that wrote them.
        output: That of the trial.

    Raises:
        ConfinedError: They hold something else than files, folders, and links that stay among them.
        OSError: They cannot be copied.
    """
    given, own = parent / _CHECKPOINTS, output / _CHECKPOINTS
    if own.is_symlink() or own.exists():
        return
    try:
        kind = confined.check(parent, given)
    except FileNotFoundError:
        return
    if kind == "folder":
        shutil.copytree(given, own, symlinks=True)


def own_folder(pod: TrialPod, places: Sequence[Place]) -> Path | None:
    """Returns the working folder of a container that lies in a folder made for the trial; None for any other.

    Args:
        pod: What the trial runs.
        places: What is used for its paths.
    """
    given = PurePosixPath(pod.working_dir)
    for place in sorted(places, key=lambda place: place.path, reverse=True):
        if given.is_relative_to(place.path) and ".." not in given.parts:
            return place.here / given.relative_to(place.path) if place.of_trial else None
    return None
