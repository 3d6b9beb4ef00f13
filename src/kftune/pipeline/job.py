"""The object that runs a step on several nodes of a cluster."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from kftune.pipeline.part import PipelinePart
from kftune.spec.container import Image, Resources
from kftune.spec.labels import DnsSubdomain
from kftune.spec.part import PartError

_OF_TRAINJOBS = ("runtime", "runtime_kind")


class Job(PipelinePart):
    """How a step runs on several nodes of a cluster: kftune's launcher creates an object, and waits for its end."""

    kind: Literal["PyTorchJob", "TrainJob"]
    """The object: PyTorchJob of training-operator, or TrainJob of Trainer."""
    launcher: Image
    """Image of kftune's launcher, which runs in the step's own pod (``images/launcher``)."""
    runtime: DnsSubdomain = "torch-distributed"
    """The training runtime of a TrainJob. The training must run in its replicated job `node`."""
    runtime_kind: Literal["ClusterTrainingRuntime", "TrainingRuntime"] = "ClusterTrainingRuntime"
    """The kind of the runtime: of the whole cluster, or of the namespace."""
    service_account: DnsSubdomain | None = None
    """Service account of the nodes' pods; None gives them no token. That of the step is for the launcher."""
    resources: Resources = Field(default_factory=Resources)
    """What the launcher may use; it needs little."""

    def model_post_init(self, context: Any, /) -> None:
        """Checks rules that concern several fields."""
        if self.kind != "TrainJob":
            for field in _OF_TRAINJOBS:
                if field in self.model_fields_set:
                    raise PartError(
                        f"only a TrainJob has a {field}, but kind is {self.kind}; remove {field}, or set kind to "
                        f"TrainJob",
                        (field,),
                        at_key=True,
                    )
        if self.resources.nodes > 1 or self.resources.procs_per_node > 1:
            raise PartError(
                "resources are those of the launcher, which is one process; set nodes and procs_per_node in the "
                "step's own resources",
                ("resources",),
            )
