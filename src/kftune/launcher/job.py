"""The job of a step on several nodes: how far it is, and why it fails."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from kftune.cluster import Namespace, PodsOf
from kftune.errors import ClusterError
from kftune.launcher.endings import told
from kftune.launcher.launch import Launch
from kftune.launcher.objects import condition_of
from kftune.launcher.shared_outputs import SharedOutputs
from kftune.render.trials import KINDS

# Seconds for the end of a pod to be known, after its job has failed.
_PATIENCE = 5.0
_AGAIN = 0.2


class JobLaunch(Launch):
    """One PyTorchJob or TrainJob of one run.

    Args:
        namespace: Its namespace.
        manifest: The object; its name in this run begins with its own name.
        run_id: Distinguishes it from those of all other runs and steps.
        outputs: Where its pods write.
        say: Called with each line for the log.
        poll: Seconds between two requests.

    Attributes:
        has_lost_node: Whether it failed because one of its pods lost its node.
    """

    _tells = True

    def __init__(
        self,
        namespace: Namespace,
        manifest: dict[str, Any],
        run_id: str,
        outputs: SharedOutputs,
        *,
        say: Callable[[str], object] = print,
        poll: float = 10.0,
    ) -> None:
        super().__init__(namespace, manifest, run_id, say, poll)
        self._outputs = outputs
        self.has_lost_node = False

    def delete(self) -> None:
        """Deletes it. If the cluster refuses, the log says so."""
        try:
            self._namespace.delete(self._kind, self.name, "Foreground")
        except ClusterError as error:
            self._say(f"the {self._kind.kind} {self.name} stays: {error}")
            return
        self.is_over = True
        self._say(f"deleted {self._kind.kind} {self.name}")

    def _what_runs(self) -> tuple[PodsOf, str]:
        kind = KINDS[self._kind.kind]
        return PodsOf.labelled(kind.pod_label, self.name, f"the {self._kind.kind}"), str(kind.container)

    def _before_creation(self) -> None:
        """Makes the run its owner: the cluster deletes it with the run, also when this process was killed."""
        try:
            owner = self._namespace.owner()
        except ClusterError as error:
            self._say(f"the {self._kind.kind} {self.name} will not be deleted together with its run: {error}")
            return
        if owner is not None:
            self._manifest["metadata"]["ownerReferences"] = [owner]

    def _why_useless(self, found: Mapping[str, Any]) -> str | None:
        state = condition_of(found).get("type")
        if state == "Failed":
            return "has failed"
        if state == KINDS[self._kind.kind].succeeded and not self._outputs.are_there():
            return "has succeeded, but what it wrote is gone"
        return None

    def _counts(self, found: Mapping[str, Any]) -> str:
        status = found.get("status", {})
        # A PyTorchJob has a mapping of its replicas, a TrainJob a list of its jobs.
        replicas = [*(status.get("replicaStatuses") or {}).values(), *(status.get("jobsStatus") or ())]
        names = ("active", "succeeded", "failed")
        counts = {name: sum(each.get(name) or 0 for each in replicas) for name in names}
        text = ", ".join(f"{count} {name}" for name, count in counts.items() if count)
        return f"pods: {text or 'none yet'}"

    def _why_failed(self, state: Mapping[str, Any], watched: bool) -> Iterator[str]:
        if not watched:
            self._endings.start()
        return super()._why_failed(state, watched)

    def _failures(self) -> Iterator[str]:
        end = time.monotonic() + _PATIENCE
        while (pod := self._endings.failed_pod(self.name)) is None and time.monotonic() < end:
            time.sleep(_AGAIN)
        if pod is not None:
            self.has_lost_node = pod[0].lost
            yield from told(*pod)
