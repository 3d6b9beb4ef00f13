"""How pods ended: exit codes and last lines, read while the pods exist. Katib deletes those of trials at once."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable

from kftune.cluster import EndedPod, Namespace, PodsOf
from kftune.containers.ending import readable
from kftune.errors import ClusterError

# Enough to find the training's own lines before the stack traces of a collector that fails.
_READ_LINES = 200
_MOST_LINES = 8
_LONGEST_LINE = 160
# Seconds between two connections.
_AGAIN = 1.0
# Source: katib v0.19.0, cmd/metricscollector/v1beta1/file-metricscollector: klog's lines, which hold the training's.
_COLLECTOR_LINE = re.compile(r"[IWEF]\d{4} [\d:.]+ +\d+ main\.go:\d+\] (?!Trial Name: |Metrics reported)(.*)")


class Endings:
    """Watches the pods of an Experiment's trials, or of a job.

    Args:
        namespace: Its namespace.
        pods: The pods.
        container: The container of the training.
        say: Called with each line for the log.
        tells: Whether it says at once that a pod has failed.
    """

    def __init__(
        self, namespace: Namespace, pods: PodsOf, container: str, say: Callable[[str], object], *, tells: bool = False
    ) -> None:
        self._namespace = namespace
        self._pods = pods
        self._container = container
        self._say = say
        self._tells = tells
        self._may_read_logs = True
        self._found: dict[str, dict[str, tuple[EndedPod, list[str]]]] = {}

    def start(self) -> None:
        """Watches in a thread that ends with the process."""
        threading.Thread(target=self._watch, daemon=True).start()

    def of(self, owner: str) -> tuple[str, list[str]]:
        """Returns how a trial or job ended, and the last lines that it printed; both are empty if that is unknown.

        Args:
            owner: Its name.
        """
        ended = self._ended(owner)
        return ("", []) if ended is None else (readable(ended[0].why.encode()), ended[1])

    def failed_pod(self, owner: str) -> tuple[EndedPod, list[str]] | None:
        """Returns the pod of a trial or job that failed first, and its last lines; None if that is unknown.

        Args:
            owner: Its name.
        """
        ended = self._ended(owner)
        return ended if ended is not None and ended[0].failed else None

    def _ended(self, owner: str) -> tuple[EndedPod, list[str]] | None:
        pods = list(self._found.get(owner, {}).values())
        return next((each for each in pods if each[0].failed), pods[0] if pods else None)

    def _watch(self) -> None:
        try:
            while True:
                for pod in self._namespace.ended_pods(self._pods, self._container):
                    pods = self._found.setdefault(pod.owner, {})
                    is_new = pod.name not in pods
                    before = [] if is_new else pods[pod.name][1]
                    pods[pod.name] = pod, self._lines(pod) or before
                    if self._tells and is_new and pod.failed:
                        self._say("\n  ".join(["a pod has failed", *told(*pods[pod.name])]))
                time.sleep(_AGAIN)
        except ClusterError as error:
            self._say(f"if {self._pods.what} fails, its exit code and log will not be known: {error}")

    def _lines(self, pod: EndedPod) -> list[str]:
        if not self._may_read_logs:
            return []
        try:
            return last_lines(self._namespace.end_of_log(pod, _READ_LINES))
        except ClusterError as error:
            self._may_read_logs = False
            self._say(f"if {self._pods.what} fails, its log will not be known: {error}")
            return []


def told(pod: EndedPod, lines: list[str]) -> list[str]:
    """Returns how a pod ended, in lines of text.

    Args:
        pod: The pod.
        lines: What it printed last.
    """
    return [f"pod {pod.name}: {readable(pod.why.encode())}", *(f"  {line}" for line in lines)]


def last_lines(log: bytes) -> list[str]:
    """Returns the last lines that a training printed, a few short ones without control characters.

    Args:
        log: The end of the log of its container, or of Katib's collector.
    """
    lines = readable(log).splitlines()
    own = [found[1] for found in map(_COLLECTOR_LINE.match, lines) if found]
    shown = [line.rstrip() for line in own or lines if line.strip()][-_MOST_LINES:]
    return [line if len(line) <= _LONGEST_LINE else f"{line[: _LONGEST_LINE - 1]}…" for line in shown]
