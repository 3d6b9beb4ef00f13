"""The fields that steps share under `defaults`; the fields of a step take precedence."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BeforeValidator, Field

from kftune.errors import StudyError
from kftune.pipeline.instances import instance_resources
from kftune.pipeline.part import PipelinePart
from kftune.pipeline.references import refuse_reference
from kftune.spec.container import ContainerSettings, Resources
from kftune.spec.part import PartError, located
from kftune.spec.quantities import NO_BOOL, Count, Number, Seconds

OnFailure = Literal["continue", "stop"]
"""After a step has failed: whether steps that do not wait for it still start. What runs already ends by itself."""


class Retries(PipelinePart):
    """How often a failed step is retried."""

    limit: Count = Field(0, ge=0, le=100)
    """Tries after the first one."""
    backoff: Seconds | None = None
    """Wait before the second try; default: none."""
    factor: Number = Field(2.0, ge=1)
    """Factor by which each wait is longer than the previous one; Argo takes whole numbers."""
    max_backoff: Seconds | None = None
    """The longest wait; on Argo from 3.7."""

    def wait(self, failed: int) -> float:
        """Returns the seconds between a failed try and the next.

        Args:
            failed: How many tries have failed, at least one.
        """
        wait = (self.backoff or 0.0) * self.factor ** (failed - 1)
        return wait if self.max_backoff is None else min(wait, self.max_backoff)


def _retries(value: object) -> object:
    return {"limit": value} if isinstance(value, int) and not isinstance(value, bool) else value


class SharedFields(PipelinePart, ContainerSettings):
    """How a step runs: its container, its instance type, retries, timeout and caching."""

    instance_type: str | None = None
    """SageMaker's name for the resources of a node (``ml.m5.xlarge``); `resources` takes precedence."""
    instance_count: Annotated[int, Field(ge=1), NO_BOOL] | None = None
    """Number of instances; the same as ``resources.nodes``."""
    retries: Annotated[Retries, BeforeValidator(_retries, json_schema_input_type=int | Retries)] = Retries()
    """How often it is retried if it fails; a number is the limit."""
    timeout: Seconds | None = None
    """Longest duration of one try."""
    cache: bool = True
    """Whether results of an earlier run with the same inputs can be reused; Argo runs every step again."""
    network: bool = False
    """Whether its container has a network on this machine; it has no effect on a cluster."""

    def model_post_init(self, context: object, /) -> None:
        """Checks rules that concern several fields."""
        super().model_post_init(context)
        for name, text in self.env.items():
            refuse_reference(text, "a variable of the environment", ("env", name))
        places: dict[str, str] = {}
        for index, volume in enumerate(self.volumes):
            place = volume.mount.rstrip("/") or "/"
            if place in places:
                raise PartError(
                    f"each volume needs another path, but {volume.name} and {places[place]} are both mounted at "
                    f"{place}",
                    ("volumes", index, "mount"),
                )
            places[place] = volume.name


_VARIABLES = ("env", "secrets", "config_maps")
_BY_KEY = (*_VARIABLES, "labels", "annotations", "node_selector")
_AMOUNTS = ("resources", "instance_type", "instance_count")

Filled = TypeVar("Filled", bound=ContainerSettings)


def filled(
    own: Filled, defaults: SharedFields, instances: Mapping[str, Resources], leave_out: Collection[str] = ()
) -> Filled:
    """Returns a step with the defaults filled in, and its instance type as resources.

    Environment variables, secrets, config maps, labels, annotations, the node selector and resources are merged key by
    key. Any other field
    of the step, also a list, replaces that of the defaults.

    Args:
        own: The step as written.
        defaults: The defaults of the pipeline.
        instances: The instance types that the pipeline adds.
        leave_out: Fields that are not taken from the defaults.

    Raises:
        PartError: An instance type is unknown, or a limit is below the request.
    """
    update: dict[str, Any] = {}
    for name in type(own).model_fields:
        if name in leave_out or name not in type(defaults).model_fields or name in _AMOUNTS:
            continue
        if name in _BY_KEY:
            update[name] = {**_kept(own, defaults, name), **getattr(own, name)}
        elif name not in own.model_fields_set and name in defaults.model_fields_set:
            update[name] = getattr(defaults, name)
    sources: list[ContainerSettings] = [own] if "resources" in leave_out else [defaults, own]
    update["resources"] = _resources(sources, instances)
    return own.model_copy(update=update)


def _kept(own: ContainerSettings, defaults: SharedFields, name: str) -> dict[str, Any]:
    """Returns the defaults that the step keeps: all but variables that it sets in another way."""
    taken = {key for other in _VARIABLES for key in getattr(own, other, ())} if name in _VARIABLES else set()
    return {key: value for key, value in getattr(defaults, name).items() if key not in taken}


def _resources(sources: list[ContainerSettings], instances: Mapping[str, Resources]) -> Resources:
    amounts: dict[str, Any] = {}
    for source in sources:
        kind = getattr(source, "instance_type", None)
        if kind is not None:
            with located("instance_type"):
                amounts |= _given(instance_resources(kind, instances))
        count = getattr(source, "instance_count", None)
        if count is not None:
            amounts["nodes"] = count
        amounts |= _given(source.resources)
    try:
        return Resources(**amounts)
    except StudyError as error:
        raise PartError(f"with the defaults, {error.message}", ("resources",)) from error


def _given(resources: Resources) -> dict[str, Any]:
    return {name: getattr(resources, name) for name in resources.model_fields_set}
