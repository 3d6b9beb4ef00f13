"""Findings about early stopping by kftune's own service."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from kftune.earlystopping.names import PREFIX
from kftune.katib.admission.cluster import Cluster
from kftune.lint.rules.findings import finding
from kftune.lint.rules.rule import Finding

_PATH = ("spec", "earlyStopping")


def stopping_findings(spec: Mapping[str, Any], cluster: Cluster) -> Iterator[Finding]:
    """Yields what the service refuses, and that the cluster must have it.

    Args:
        spec: The decoded spec.
        cluster: What the cluster contains.
    """
    stopping = spec.get("earlyStopping") or {}
    name = stopping.get("algorithmName", "")
    if not name.startswith(PREFIX):
        return
    from kftune.earlystopping.settings import SettingError, rule_of

    settings = [(each.get("name", ""), each.get("value", "")) for each in stopping.get("algorithmSettings", ())]
    try:
        rule_of(name, settings)
    except SettingError as error:
        place = (
            () if error.setting is None else ("algorithmSettings", error.setting, "name" if error.at_name else "value")
        )
        yield finding("KT268", (*_PATH, *place), f"{error.message}; the Experiment fails")
    if not cluster.config.is_given:
        yield finding(
            "KT311", (*_PATH, "algorithmName"), f"{name} needs kftune's early stopping service on the cluster"
        )
