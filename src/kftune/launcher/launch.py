"""Creates the object of a run or attaches to it, and follows it until it ends."""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, ClassVar

from kftune.cluster import Kind, Namespace, PodsOf
from kftune.errors import ClusterError
from kftune.launcher.endings import Endings
from kftune.launcher.objects import condition_of, reason_of
from kftune.render.names import LONGEST

_CONTENT = "kftune.io/content"
_RUN = "kftune.io/run-id"
_GOOD = ("Succeeded", "Complete")
# After this many seconds without a change, the log says why.
_LONG_SILENCE = 300.0


def name_in_run(base: str, run_id: str) -> str:
    """Returns an object's name in a run, which is the same for each try of the step.

    Args:
        base: Its name in the manifest.
        run_id: The ID of the step in this run.
    """
    mark = hashlib.sha256(run_id.encode()).hexdigest()[:10]
    return f"{base[: LONGEST - len(mark) - 1].rstrip('-')}-{mark}"


class Launch:
    """One object of one run: the base of those for Experiments and for jobs.

    Args:
        namespace: Its namespace.
        manifest: The object; its name in this run begins with its own name.
        run_id: Distinguishes it from those of all other runs and steps.
        say: Called with each line for the log.
        poll: Seconds between two requests.

    Attributes:
        is_over: Whether it has ended or is gone, so that nothing needs its files.
    """

    _FAILED: ClassVar[type[ClusterError]] = ClusterError
    """The error of an object that has failed."""
    _tells = False
    """Whether each failed pod is worth a line in the log."""

    def __init__(
        self,
        namespace: Namespace,
        manifest: dict[str, Any],
        run_id: str,
        say: Callable[[str], object] = print,
        poll: float = 10.0,
    ) -> None:
        self._namespace = namespace
        self._say = say
        self._poll = poll
        self._kind = Kind.of(manifest)
        self.name = name_in_run(manifest["metadata"]["name"], run_id)
        spec = json.dumps(manifest["spec"], sort_keys=True)
        content = hashlib.sha256(spec.encode()).hexdigest()
        metadata = {**manifest["metadata"], "name": self.name, "namespace": namespace.name}
        metadata["annotations"] = {**metadata.get("annotations", {}), _RUN: run_id, _CONTENT: content}
        self._manifest = {**manifest, "metadata": metadata}
        self._attached = False
        self.is_over = False
        self._pods, container = self._what_runs()
        self._endings = Endings(namespace, self._pods, container, say, tells=self._tells)

    def start(self, stop: threading.Event, prepare: Callable[[], object] = lambda: None) -> None:
        """Creates the object, or attaches to the one that an earlier try has created.

        Args:
            stop: Set when the step is to stop.
            prepare: Called before an object is created, to get ready what its pods read.

        Raises:
            ClusterError: The cluster refuses it, another object has the name, or `stop` was set while that of an
                earlier try was being deleted.
        """
        kind = self._kind.kind
        while True:
            found = self._namespace.find(self._kind, self.name)
            if found is None:
                prepare()
                self._before_creation()
                if self._namespace.create(self._manifest):
                    self._say(f"created {kind} {self._namespace.name}/{self.name}")
                    return
                continue
            if "deletionTimestamp" not in found["metadata"]:
                self._check_same(found)
                why = self._why_useless(found)
                if why is None:
                    self._attached = True
                    self._say(f"attached to {kind} {self._namespace.name}/{self.name}, which an earlier try created")
                    return
                self._say(f"the {kind} {self.name} of an earlier try {why}: it is deleted, and made again")
                self._namespace.delete(self._kind, self.name, "Foreground")
            else:
                self._say(f"waiting until the {kind} {self.name} of an earlier try is gone")
            if stop.wait(self._poll):
                raise ClusterError(f"asked to stop before the {kind} {self.name} of an earlier try was gone")

    def _check_same(self, found: Mapping[str, Any]) -> None:
        annotations = found["metadata"].get("annotations", {})
        if annotations.get(_CONTENT) != self._manifest["metadata"]["annotations"][_CONTENT]:
            raise ClusterError(
                f"the {self._kind.kind} {self._namespace.name}/{self.name} already exists, and differs from the one of "
                f"this step; delete it, or start a new run"
            )

    def wait(self, stop: threading.Event) -> dict[str, Any] | None:
        """Waits until the object has succeeded and returns it; None when `stop` was set before.

        Raises:
            ClusterError: It has failed, or no longer exists.
        """
        said, said_at, watched = "", time.monotonic(), False
        while True:
            found = self._namespace.find(self._kind, self.name)
            state = {} if found is None else condition_of(found)
            self.is_over = found is None or state.get("type") in (*_GOOD, "Failed")
            if found is None:
                raise ClusterError(f"the {self._kind.kind} {self._namespace.name}/{self.name} was deleted")
            if state.get("type") in _GOOD:
                self._say(f"succeeded: {self._counts(found)}")
                return found
            if state.get("type") == "Failed":
                raise self._FAILED("\n  ".join([*self._why_failed(state, watched), *self._failures()]))
            if not watched:
                self._endings.start()
                watched = True
            counts = self._counts(found)
            if counts != said:
                self._say(counts)
                said, said_at = counts, time.monotonic()
            elif time.monotonic() - said_at >= _LONG_SILENCE:
                self._say("\n  ".join(["nothing has changed for a while", *self.obstacles()]))
                said_at = time.monotonic()
            if stop.wait(self._poll):
                return None

    def obstacles(self) -> list[str]:
        """Returns known reasons why it makes no progress."""
        try:
            return list(self._obstacles())
        except ClusterError as error:
            return [f"the reason is unknown: {error}"]

    # -- what kinds of objects differ in ------------------------------------------------------------------------

    def _what_runs(self) -> tuple[PodsOf, str]:
        """Returns its pods, and the name of the container of the training."""
        raise NotImplementedError

    def _before_creation(self) -> None:
        """Completes the object."""

    def _why_useless(self, found: Mapping[str, Any]) -> str | None:
        """Returns why the object of an earlier try has to be made again; None if this try can attach to it."""
        del found
        return None

    def _counts(self, found: Mapping[str, Any]) -> str:
        """Returns how far it is, in one line."""
        raise NotImplementedError

    def _obstacles(self) -> Iterator[str]:
        for name, reason in self._namespace.waiting_pods(self._pods):
            yield f"pod {name}: {reason}"

    def _why_failed(self, state: Mapping[str, Any], watched: bool) -> Iterator[str]:
        del watched
        yield f"the {self._kind.kind} has failed: {reason_of(state)}"

    def _failures(self) -> Iterator[str]:
        """Yields which of its parts failed, and why."""
        raise NotImplementedError
