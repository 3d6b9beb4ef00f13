"""A pipeline: typed steps with inputs and outputs, loops, conditions, a schedule, and the plan made of them."""

from kftune.pipeline.condition import Condition
from kftune.pipeline.load import load_pipeline, pipeline_from_dict
from kftune.pipeline.loop import Loop
from kftune.pipeline.model import Pipeline
from kftune.pipeline.plan import Argument, FixedValue, Node, Plan
from kftune.pipeline.ports import ARTIFACT_TYPES, EXECUTOR_OUTPUT, PARAMETER_TYPES, Input, Output, Parameter
from kftune.pipeline.references import (
    ItemReference,
    OutputReference,
    ParameterReference,
    Reference,
    StatusReference,
    item,
    parameter,
    run_status,
)
from kftune.pipeline.schedule import Schedule
from kftune.pipeline.shared import Retries, SharedFields
from kftune.pipeline.steps import (
    ContainerStep,
    DataStep,
    EvaluateStep,
    RegisterStep,
    StepConfig,
    TrainStep,
    TuneStep,
)
from kftune.pipeline.targets import ArgoTarget, KfpTarget, PipelineTargets

__all__ = [
    "ARTIFACT_TYPES",
    "EXECUTOR_OUTPUT",
    "PARAMETER_TYPES",
    "ArgoTarget",
    "Argument",
    "Condition",
    "ContainerStep",
    "DataStep",
    "EvaluateStep",
    "FixedValue",
    "Input",
    "ItemReference",
    "KfpTarget",
    "Loop",
    "Node",
    "Output",
    "OutputReference",
    "Parameter",
    "ParameterReference",
    "Pipeline",
    "PipelineTargets",
    "Plan",
    "Reference",
    "RegisterStep",
    "Retries",
    "Schedule",
    "SharedFields",
    "StatusReference",
    "StepConfig",
    "TrainStep",
    "TuneStep",
    "item",
    "load_pipeline",
    "parameter",
    "pipeline_from_dict",
    "run_status",
]
