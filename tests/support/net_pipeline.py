"""A small project: a class, a study, a file of items and a pipeline that uses them."""

HPARAMS = '''
from kftune import Choice, Hparam, Hparams, LogUniform

class Net(Hparams):
    """A network."""

    lr: float = Hparam(1e-3, gt=0, search=LogUniform(1e-4, 1e-2))
    """Step size."""
    units: int = Hparam(64, ge=1, search=Choice(32, 64, 128))
    """Width."""
    epochs: int = 10
    """Passes."""

class Tree(Hparams):
    """Something else."""

    depth: int = 3
    """Levels."""
'''

STUDY = """\
name: net
hparams: net_hparams:Net
search: {units: null}
objective: {metric: val_loss, direction: minimize}
budget: {max_trials: 4}
step: {command: [python, train.py]}
"""

PLANTS = """\
P1:
  C1: {circuit: P1/C1, units: 32}
  C2: {circuit: P1/C2, units: 64}
"""

PIPELINE = """\
name: net
parameters:
  circuit: P1/C1
  numbers: {type: list, default: [1, 2], description: Any}
  limit: {type: float, default: 0.5, description: Largest val_loss}
defaults:
  image: registry.example/net:1
  resources: {cpu: 1, memory: 1Gi}
  env: {MODE: fast}
loops:
  plants: {file: plants.yaml, at: P1.*, parallel: 2}
steps:
  data:
    kind: data
    module: net.data
    inputs: {circuit: "${parameters.circuit}", days: 56}
  tune:
    kind: tune
    study: study.yaml
    overrides: [budget.max_trials=2]
    inputs: {data: "${steps.data.outputs.data}"}
    values: {epochs: 3}
  train:
    kind: train
    module: net.train
    inputs: {data: "${steps.data.outputs.data}"}
    hparams: net_hparams:Net
    values: {epochs: 20}
    values_from: ${steps.tune.outputs.best}
  evaluate:
    kind: evaluate
    module: net.evaluate
    inputs: {model: "${steps.train.outputs.model}"}
    outputs: {metrics: metrics, val_loss: float}
  register:
    kind: register
    module: net.register
    when: ${steps.evaluate.outputs.val_loss} < ${parameters.limit}
    inputs:
      model: ${steps.train.outputs.model}
      loss: {type: float, value: "${steps.evaluate.outputs.val_loss}"}
  note:
    kind: container
    command: [sh, note.sh]
    for_each: plants
    inputs: {circuit: "${item.circuit}"}
    outputs: {text: str}
    after: [train]
  collect:
    kind: container
    module: net.collect
    inputs: {texts: "${steps.note.outputs.text}"}
exit:
  command: [sh, exit.sh]
  inputs: {status: "${run.status}"}
schedule: {cron: "30 2 * * 1-5", timezone: Europe/Berlin}
targets:
  argo: {version: "4.1", labels: {team: a}}
"""
