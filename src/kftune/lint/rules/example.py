"""The Experiment that the rules' examples are laid over."""

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
"""The fields of a container with a command without a shell."""


def container(inside: str, pod: str = "") -> str:
    """The change by which the example's pod has one container with other fields.

    Args:
        inside: The fields beside name, image and resources.
        pod: Fields of the pod before it, with a comma at the end.
    """
    limits = "resources: {limits: {cpu: '1'}}"
    spec = f"{{{pod}containers: [{{name: main, image: 'registry.example/lstm:1', {limits}, {inside}}}]}}"
    return f"spec: {{trialTemplate: {{trialSpec: {{spec: {{template: {{spec: {spec}}}}}}}}}}}"


def example_text(change: str) -> str:
    """The example with a change laid over it, as YAML.

    Args:
        change: YAML; maps are laid over maps, a null removes a field, all else replaces.
    """
    if not change:
        return EXAMPLE
    changed = laid_over(read(EXAMPLE), read_loosely(change))
    return yaml_text.dump(changed)


def read_loosely(change: str) -> Any:
    """The change, in which `.inf` stays what it is."""
    return read(change) if ".inf" not in change else yaml_text.load(change)


def laid_over(below: Any, above: Any) -> Any:
    """The value below with the one above laid over it."""
    if not isinstance(below, dict) or not isinstance(above, dict):
        return above
    result = dict(below)
    for key, value in above.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = laid_over(below.get(key), value)
    return result
