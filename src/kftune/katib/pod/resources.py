"""What the API server refuses in requests and limits, apart from amounts that are no quantities.

Source: Kubernetes 1.36, pkg/apis/core/validation (ValidateContainerResourceRequirements) and pkg/apis/core/helper.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from kftune.katib.go.quantity import parse
from kftune.katib.go.types import Path
from kftune.katib.go.unstructured import as_list, as_map
from kftune.katib.pod.checks import Problem, is_key

HUGE = "hugepages-"
_POD_LEVEL = ("cpu", "memory")


def amount(given: object) -> Decimal | None:
    """Returns an amount; None if it is no quantity, or has a placeholder."""
    return parse(str(given)) if given is not None else None


def resource_problems(resources: Mapping[str, Any], path: Path) -> Iterator[Problem]:
    """Yields what is wrong with names, devices and huge pages.

    Args:
        resources: Requests and limits of a container.
        path: Their path.
    """
    limits, requests = as_map(resources.get("limits")), as_map(resources.get("requests"))
    for group, given in (("limits", limits), ("requests", requests)):
        for name, text in given.items():
            yield from _named_problems(name, amount(text), text, (*path, group, name))
    for name in requests:
        if name.startswith(HUGE) and amount(requests[name]) != amount(limits.get(name)):
            yield Problem((*path, "requests", name), f"{name} needs a limit equal to its request")
    names = {*limits, *requests}
    if any(name.startswith(HUGE) for name in names) and not names & {"cpu", "memory"}:
        yield Problem(path, "huge pages need cpu or memory beside them")


def _named_problems(name: str, given: Decimal | None, text: object, path: Path) -> Iterator[Problem]:
    if "/" in name and not _is_resource(name):
        yield Problem(path, f"{name!r} is not the name of a resource, such as nvidia.com/gpu")
    elif _is_extended(name) and given is not None and given != int(given):
        yield Problem(path, f"{name} is counted in whole numbers, not in {text}")
    elif name.startswith(HUGE) and given is not None:
        size = parse(name.removeprefix(HUGE))
        if size is None or size <= 0:
            yield Problem(path, f"{name} needs a size of pages, such as hugepages-2Mi")
        elif given % size:
            yield Problem(path, f"{text} is not a multiple of the pages of {name}")


def _is_extended(name: str) -> bool:
    return "/" in name and "kubernetes.io/" not in name


def _is_resource(name: str) -> bool:
    if not _is_extended(name):
        return is_key(name)
    return is_key(name) and not name.startswith("requests.") and is_key(f"requests.{name}")


def pod_resource_problems(spec: Mapping[str, Any], path: Path) -> Iterator[Problem]:
    """Yields what is wrong with the resources of the whole pod, beside those of its containers.

    Args:
        spec: The spec of the pod.
        path: Its path.
    """
    whole, at = as_map(spec.get("resources")), (*path, "resources")
    if not whole:
        return
    yield from resource_problems(whole, at)
    if whole.get("claims") is not None:
        yield Problem((*at, "claims"), "claims belong to containers")
    for name, text in as_map(whole.get("requests")).items():
        asked, limit = amount(text), amount(as_map(whole.get("limits")).get(name))
        if asked is not None and limit is not None and asked > limit:
            yield Problem((*at, "requests", name), f"the request {text} exceeds the pod's limit")
    for group in ("limits", "requests"):
        for name in as_map(whole.get(group)):
            if name not in _POD_LEVEL and not name.startswith(HUGE):
                yield Problem((*at, group, name), f"a pod's own resources are cpu, memory and huge pages, not {name}")
    yield from _sum_problems(spec, path)


def _sum_problems(spec: Mapping[str, Any], path: Path) -> Iterator[Problem]:
    """Yields limits of containers that exceed the pod's, and requests that do so together."""
    whole = as_map(spec.get("resources"))
    containers = [as_map(as_map(each).get("resources")) for each in as_list(spec.get("containers"))]
    for name, text in as_map(whole.get("limits")).items():
        most = amount(text)
        for index, each in enumerate(containers):
            own = amount(as_map(each.get("limits")).get(name))
            if own is not None and most is not None and own > most:
                place = (*path, "containers", index, "resources", "limits", name)
                yield Problem(place, f"the container's limit exceeds the pod's limit {text}")
    for name, text in as_map(whole.get("requests")).items():
        given = [amount(as_map(each.get("requests", each.get("limits"))).get(name)) for each in containers]
        asked, most = sum(each for each in given if each is not None), amount(text)
        if most is not None and asked > most:
            yield Problem((*path, "resources", "requests", name), f"the containers request more than the pod's {text}")


def claim_problems(spec: Mapping[str, Any], path: Path) -> Iterator[Problem]:
    """Yields the claims of devices without a source, and those of containers that the pod does not have.

    Args:
        spec: The spec of the pod.
        path: Its path.
    """
    names: set[str] = set()
    for index, claim in enumerate(as_list(spec.get("resourceClaims"))):
        given = as_map(claim)
        name = str(given.get("name"))
        if name in names:
            yield Problem((*path, "resourceClaims", index, "name"), f"two claims have the name {name!r}")
        names.add(name)
        if len({"resourceClaimName", "resourceClaimTemplateName"} & {*given}) != 1:
            detail = "a claim has one of resourceClaimName and resourceClaimTemplateName"
            yield Problem((*path, "resourceClaims", index), detail)
    for group in ("initContainers", "containers"):
        for number, container in enumerate(as_list(spec.get(group))):
            claims = as_list(as_map(as_map(container).get("resources")).get("claims"))
            for index, claim in enumerate(claims):
                name = str(as_map(claim).get("name"))
                if name not in names:
                    place = (*path, group, number, "resources", "claims", index)
                    yield Problem(place, f"the pod has no resource claim {name!r}")
