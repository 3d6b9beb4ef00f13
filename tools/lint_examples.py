"""The Experiment, the study and the script that the examples of the lint rules belong to."""

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
            containers:
            - name: main
              image: registry.example/lstm:1.2
              command: [sh, -c]
              args: ["python train.py --lr=${trialParameters.lr} --units=${trialParameters.units}"]
              resources: {limits: {cpu: "1", memory: 2Gi}}
              securityContext: {runAsNonRoot: true}
"""

EXAMPLE_HPARAMS = '''\
from kftune import Choice, Hparam, Hparams, LogUniform


class ToyHparams(Hparams):
    """A toy."""

    learning_rate: float = Hparam(1e-3, gt=0, search=LogUniform(1e-4, 1e-2))
    """Step size."""
    units: int = Hparam(64, ge=1, search=Choice(32, 64, 128))
    """Width."""
    epochs: int = 10
    """Passes over the data."""
'''

EXAMPLE_STUDY = """\
name: toy
hparams: toy_hparams:ToyHparams
objective: {metric: val_loss, direction: minimize}
budget: {max_trials: 4}
step: {command: [python, train.py], image: registry.example/toy:1}
"""


def script_text(part: str) -> str:
    """Returns a training script.

    Args:
        part: `fails` or `passes` of a rule about scripts.
    """
    return f"import argparse\n\nparser = argparse.ArgumentParser()\n{part}\narguments = parser.parse_args()\n"


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
