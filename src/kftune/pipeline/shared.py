"""The fields that all steps share, written once under `defaults`; what a step says itself wins."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Annotated, Any, TypeVar

from pydantic import BeforeValidator, Field

from kftune.errors import StudyError
from kftune.pipeline.instances import instance_resources
from kftune.pipeline.part import PipelinePart
from kftune.pipeline.references import refuse_reference
from kftune.spec.container import ContainerSettings, Resources
from kftune.spec.part import PartError
from kftune.spec.quantities import Seconds


class Retries(PipelinePart):
    """How often a failed step is tried again."""

    limit: int = Field(0, ge=0, le=100)
    """Further tries after the first."""
    backoff: Seconds | None = None
    """Wait before the second try; left out, none."""
    factor: float = Field(2.0, ge=1)
    """By how much each wait is longer than the one before."""
    max_backoff: Seconds | None = None
    """The longest wait."""


def _retries(value: object) -> object:
    return {"limit": value} if isinstance(value, int) and not isinstance(value, bool) else value


class SharedFields(PipelinePart, ContainerSettings):
    """What a step of a pipeline needs to run, beside what it does."""

    instance_type: str | None = None
    """SageMaker's name for what a node has (``ml.m5.xlarge``); `resources` wins where both say something."""
    instance_count: int | None = Field(None, ge=1)
    """Instances that share the work; the same as ``resources.nodes``."""
    retries: Annotated[Retries, BeforeValidator(_retries, json_schema_input_type=int | Retries)] = Retries()
    """How often it is tried again when it fails; a number is the limit."""
    timeout: Seconds | None = None
    """The longest that one try may take."""
    cache: bool = True
    """Whether the results of an earlier run with the same inputs may be taken."""
    network: bool = False
    """Whether a container that runs on this machine gets a network; on a cluster that is the cluster's business."""

    def model_post_init(self, context: object, /) -> None:
        """Checks what the fields by themselves cannot."""
        super().model_post_init(context)
        for name, text in self.env.items():
            refuse_reference(text, "a variable of the environment", ("env", name))
        places: dict[str, str] = {}
        for index, volume in enumerate(self.volumes):
            place = volume.mount.rstrip("/") or "/"
            if place in places:
                raise PartError(
                    f"each volume needs a path of its own, but {volume.name} and {places[place]} are both mounted at "
                    f"{place}",
                    ("volumes", index, "mount"),
                )
            places[place] = volume.name


_VARIABLES = ("env", "secrets", "config_maps")
_BY_KEY = (*_VARIABLES, "node_selector")
_AMOUNTS = ("resources", "instance_type", "instance_count")

Filled = TypeVar("Filled", bound=ContainerSettings)


def filled(
    own: Filled, defaults: SharedFields, instances: Mapping[str, Resources], leave_out: Collection[str] = ()
) -> Filled:
    """`own` with what it leaves out taken from the defaults, and instances as resources.

    Environment variables, secrets, config maps, the node selector and resources are merged key by key; of every other
    field, a list too, the own one counts whole.

    Args:
        own: A step as written.
        defaults: The pipeline's.
        instances: The pipeline's own names of instances.
        leave_out: Fields that are not taken from the defaults.

    Raises:
        PartError: An instance is unknown, or a limit is below what is asked for.
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
    """What of the defaults stays: a variable that the step takes from elsewhere does not."""
    taken = {key for other in _VARIABLES for key in getattr(own, other, ())} if name in _VARIABLES else set()
    return {key: value for key, value in getattr(defaults, name).items() if key not in taken}


def _resources(sources: list[ContainerSettings], instances: Mapping[str, Resources]) -> Resources:
    amounts: dict[str, Any] = {}
    for source in sources:
        kind = getattr(source, "instance_type", None)
        if kind is not None:
            try:
                amounts |= _given(instance_resources(kind, instances))
            except PartError as error:
                raise PartError(error.message, ("instance_type",)) from error
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
