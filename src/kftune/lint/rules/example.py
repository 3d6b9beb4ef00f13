"""The Experiment that the examples of the rules change."""

from __future__ import annotations

from typing import Any

from kftune import yaml_text
from kftune.katib.go.reading import read

EXAMPLE = """\
apiVersion: kubeflow.org/v1beta1
kind: Experiment
metadata:
  name: circuits-lstm
spec:
  objective:
    type: minimize
    goal: 0.01
    objectiveMetricName: val_loss
  algorithm:
    algorithmName: random
  parallelTrialCount: 2
  maxTrialCount: 12
  maxFailedTrialCount: 2
  parameters:
  - name: learning_rate
    parameterType: double
    feasibleSpace: {min: "0.0001", max: "0.01", distribution: logUniform}
  - name: units
    parameterType: categorical
    feasibleSpace: {list: ["32", "64"]}
  trialTemplate:
    primaryContainerName: main
    trialParameters:
    - {name: lr, reference: learning_rate}
    - {name: units, reference: units}
    trialSpec:
      apiVersion: batch/v1
      kind: Job
      spec:
        backoffLimit: 0
        activeDeadlineSeconds: 3600
        template:
          metadata:
            annotations: {sidecar.istio.io/inject: "false"}
          spec:
            restartPolicy: Never
            securityContext: {runAsNonRoot: true}
            containers:
            - name: main
              image: registry.example/lstm:1.2
              command: [sh, -c]
              args: ["python train.py --lr=${trialParameters.lr} --units=${trialParameters.units}"]
              resources: {limits: {cpu: "1", memory: 2Gi}}
"""

PLAIN = "command: [python, train.py], args: ['--lr=${trialParameters.lr}', '--units=${trialParameters.units}']"
"""The fields of a container whose command uses no shell."""


def container(inside: str, pod: str = "") -> str:
    """Returns the change that gives the example's pod one container with other fields.

    Args:
        inside: The fields other than name, image and resources.
        pod: Fields of the pod before `containers`, with a comma at the end.
    """
    limits = "resources: {limits: {cpu: '1'}}"
    spec = f"{{{pod}containers: [{{name: main, image: 'registry.example/lstm:1', {limits}, {inside}}}]}}"
    return f"spec: {{trialTemplate: {{trialSpec: {{spec: {{template: {{spec: {spec}}}}}}}}}}}"


def parameters(*, rate: str = "min: '0.1', max: '1'", kind: str = "double", units: str = "'32'", more: str = "") -> str:
    """Returns the change that gives the example other parameters.

    Args:
        rate: The feasible space of the first one, learning_rate.
        kind: Its type.
        units: The values of the second one, units.
        more: Further parameters, with a comma in front.
    """
    return (
        f"spec: {{parameters: [{{name: learning_rate, parameterType: {kind}, feasibleSpace: {{{rate}}}}}, "
        f"{{name: units, parameterType: categorical, feasibleSpace: {{list: [{units}]}}}}{more}]}}"
    )


def example_text(change: str) -> str:
    """Returns the example with a change merged into it, as YAML.

    Args:
        change: YAML; maps are merged, a null removes a field, any other value replaces.
    """
    return yaml_text.dump(_merged(read(EXAMPLE), read_change(change))) if change else EXAMPLE


def read_change(change: str) -> Any:
    """Reads a change; one may contain `.inf`, which kubectl rejects."""
    return read(change) if ".inf" not in change else yaml_text.load(change)


def _merged(below: Any, above: Any) -> Any:
    if not isinstance(below, dict) or not isinstance(above, dict):
        return above
    changed = {name: _merged(below.get(name), value) for name, value in above.items()}
    return {name: value for name, value in {**below, **changed}.items() if above.get(name, value) is not None}
