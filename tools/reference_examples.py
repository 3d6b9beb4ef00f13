"""The examples on the pages of the reference, by section. Tests load each, and look for every key in them."""

from __future__ import annotations

STUDY = {
    "": """
name: circuits
description: Finds good hyperparameters for one circuit.
hparams: LstmHparams
values: {circuit: PLANT001/CIRCUIT01}
search:
  learning_rate: {loguniform: [1e-4, 1e-2]}
  batch_size: {choice: [16, 32, 64]}
constraints: [learning_rate <= 0.001 or batch_size >= 32]
objective: {metric: val_loss, direction: minimize}
metrics: [train_loss]
algorithm: {name: random, seed: 7}
budget: {max_trials: 20, parallel: 3}
step: {image: "registry.example/circuits:1", module: kftune.training, args: [lstm]}
points: [{learning_rate: 0.001}]
start_from: runs/circuits-2025
apply: {to: circuits.yaml, at: PLANT001/CIRCUIT01}
targets: {katib: {namespace: team-a}}
""",
    "objective": """
objective: {metric: val_loss, direction: minimize, goal: 0.05, reduce: min, regex: "loss on validation: ([0-9.]+)"}
""",
    "objectives[]": """
objectives:
  - {metric: val_loss, direction: minimize, goal: 0.05}
  - {metric: parameters, direction: minimize, goal: 100000, reduce: latest, regex: "parameters: ([0-9]+)"}
""",
    "for_each": """
name: circuits
hparams: LstmHparams
values: {circuit: "${entity}"}
for_each:
  items: [PLANT001/CIRCUIT01, PLANT001/CIRCUIT02]
  budget: {max_trials: 60, parallel: 4, wall_clock: 8h, max_failed: 20}
""",
    "for_each.budget": """
for_each:
  file: pipelines/circuits/circuits.yaml
  at: PLANT001/*
  budget: {max_trials: 60, parallel: 4, wall_clock: 8h, max_failed: 20, max_cost: 100}
values: {circuit: "${entity}"}
""",
    "start_from": """
start_from: {from: sweep.db, study: second, top: 5, learn: true}
""",
    "start_from[]": """
start_from: [runs/circuits-2025, {from: "katib:team-a/circuits", top: 1}]
""",
    "apply": """
apply: {to: config.yaml, at: training, map: {learning_rate: optimizer.lr}, add: true, baseline: false}
""",
    "metrics[]": """
metrics:
  - {name: val_mae, reduce: min}
  - {name: gpu_memory, reduce: max, regex: "peak memory: ([0-9.]+)"}
""",
    "algorithm": """
algorithm: {name: multivariate-tpe, seed: 7, settings: {n_startup_trials: 5}}
""",
    "budget": """
budget: {max_trials: 40, parallel: 4, max_failed: 5, trial_timeout: 30m, wall_clock: 6h, metrics_per_trial: 1000}
""",
    "step.arguments": """
step:
  command: [python, train.py]
  arguments: {names: dashes, style: --name value, booleans: flag-no, nulls: omit}
""",
    "budget.max_cost": """
budget: {max_trials: 40, max_cost: {limit: 50, per_hour: 1.2}}
""",
    "budget.retries": """
budget: {max_trials: 40, retries: {failed: 1, lost: 2, out_of_memory: smaller}}
""",
    "budget.retries.out_of_memory": """
budget: {max_trials: 40, retries: {out_of_memory: {retries: 2, halve: batch_size}}}
""",
    "stopping": """
stopping:
  bandit: {interval: 5, slack_factor: 0.1, delay: 10}
  threshold: {above: 10}
  no_improvement: 8
  wall_clock: 6h
""",
    "stopping.median": """
stopping: {median: {min_trials: 5, start_step: 4}}
""",
    "stopping.bandit": """
stopping: {bandit: {interval: 5, slack_amount: 0.02, slack_factor: null, delay: 10}}
""",
    "stopping.truncation": """
stopping: {truncation: {interval: 5, percentage: 20, delay: 5, exclude_finished: true}}
""",
    "stopping.percentile": """
stopping: {percentile: {keep: 50, interval: 2, delay: 4, min_trials: 5}}
""",
    "stopping.asha": """
stopping: {asha: {type: promotion, min_resource: 1, max_resource: 81, reduction_factor: 3, brackets: 2}}
""",
    "stopping.hyperband": """
stopping: {hyperband: {type: stopping, min_resource: 1, max_resource: 81, reduction_factor: 3}}
""",
    "stopping.threshold": """
stopping: {threshold: {metric: gradient_norm, above: 1000, below: 1e-9, delay: 3}}
metrics: [gradient_norm]
""",
    "stopping.plateau": """
stopping: {plateau: {metric: accuracy, direction: maximize, patience: 5, min_delta: 0.001, delay: 10}}
metrics: [accuracy]
""",
    "stopping.no_improvement": """
stopping: {no_improvement: {trials: 8, min_delta: 0.001}}
""",
    "stopping.target": """
stopping:
  target:
    metrics: {character_accuracy: {at_least: 0.95}}
    training_time_per_epoch: 60
    convergence_epochs: 20
metrics: [character_accuracy]
""",
    "stopping.target.metrics.NAME": """
stopping: {target: {metrics: {memory: {at_least: 1, at_most: 16}}}}
metrics: [memory]
""",
    "stopping.wall_clock": """
stopping: {wall_clock: {limit: 6h}}
""",
    "stopping.max_cost": """
stopping: {max_cost: {limit: 50, per_hour: 1.2}}
""",
    "step": """
step:
  name: train
  module: kftune.training
  args: [lstm]
  image: registry.example/circuits:1
  working_dir: /work
  env: {OMP_NUM_THREADS: 2}
  shared_memory: 8Gi
  labels: {team: vision}
  annotations: {owner: team-a@example.com}
  queue: gpus
  image_pull_secrets: [registry]
  image_pull_policy: IfNotPresent
  node_selector: {disk: ssd}
  priority_class: research
  scheduler: volcano
  runtime_class: nvidia
  host_network: true
  host_ipc: true
  service_account: trainer
  grace_period: 1m
  warm: true
  pod: {enableServiceLinks: false}
  container: {lifecycle: {preStop: {sleep: {seconds: 5}}}}
""",
    "step.secrets.NAME": """
step:
  image: registry.example/circuits:1
  command: [python, train.py]
  secrets:
    S3_KEY: {name: s3, key: secret-key}
  arguments: {as: environment, prefix: HP_}
""",
    "step.config_maps.NAME": """
step:
  image: registry.example/circuits:1
  command: [python, train.py]
  config_maps:
    S3_ENDPOINT: {name: s3-settings, key: endpoint}
""",
    "step.resources": """
step:
  image: registry.example/circuits:1
  command: [python, train.py]
  resources:
    {cpu: 4, cpu_limit: 8, memory: 16Gi, memory_limit: 24Gi, ephemeral_storage: 50Gi, gpu: 2,
     gpu_resource: nvidia.com/gpu, gpu_type: NVIDIA-A100-SXM4-80GB, extra: {rdma/ib: 1}, nodes: 2, procs_per_node: 2}
targets: {katib: {trial_kind: PyTorchJob}}
""",
    "step.volumes[]": """
step:
  image: registry.example/circuits:1
  command: [python, train.py]
  volumes:
    - {name: readings, mount: /data, claim: readings, sub_path: "2026", read_only: true}
    - {name: settings, mount: /etc/train, config_map: train-settings}
    - {name: keys, mount: /etc/keys, secret: train-keys}
    - {name: scratch, mount: /scratch, empty_dir: true, size_limit: 10Gi}
    - {name: bucket, mount: /bucket, csi: {driver: gcsfuse.csi.storage.gke.io}}
    - {name: cache, mount: /cache, ephemeral: {size: 100Gi}}
""",
    "step.tolerations[]": """
step:
  image: registry.example/circuits:1
  command: [python, train.py]
  tolerations:
    - {key: nvidia.com/gpu, operator: Exists, effect: NoSchedule}
    - {key: team, value: vision}
""",
    "step.data": """
step:
  image: registry.example/circuits:1
  command: [python, train.py]
  volumes: [{name: readings, mount: /data, claim: readings}]
  data: {path: readings, mount: /data}
  arguments: {as: json-file, option: config}
""",
    "targets.katib": """
targets:
  katib:
    version: "0.19"
    namespace: team-a
    name: circuits-2
    algorithm: {name: tpe, settings: {gamma: 0.3}}
    encoding: auto
    trial_kind: TrainJob
    runtime: torch-distributed
    runtime_kind: ClusterTrainingRuntime
    min_runtime: 10s
    retain: true
    resume_policy: LongRunning
    labels: {team: vision}
    annotations: {owner: team-a@example.com}
""",
}

PIPELINE = {
    "": """
name: circuits
description: Finds hyperparameters, trains with the best, and registers the model.
parameters: {circuit: PLANT001/CIRCUIT01}
defaults: {image: "registry.example/circuits:1", retries: 1}
instances: {ml.local.large: {cpu: 4, memory: 16Gi}}
loops: {circuits: {items: [PLANT001/CIRCUIT01, PLANT001/CIRCUIT02]}}
steps:
  data:
    kind: data
    module: kftune.training
    args: [data]
    for_each: circuits
    inputs: {circuit: "${item}"}
exit: {command: [python, tell.py], inputs: {status: "${run.status}"}}
schedule: {cron: "30 4 * * 1-5"}
parallel: 4
on_failure: stop
timeout: 6h
targets: {argo: {namespace: team-a}}
""",
    "steps.NAME": """
steps:
  tune:
    kind: tune
    description: Searches the hyperparameters of one circuit.
    image: registry.example/launcher:1
    study: study.yaml
    overrides: [budget.max_trials=4]
    volumes: [{name: shared, mount: /shared, claim: circuits-shared}]
    share: shared
    delete: succeeded
  train:
    kind: train
    job_type: training
    module: kftune.training
    args: [lstm]
    hparams: LstmHparams
    values: {circuit: "${parameters.circuit}"}
    values_from: ${steps.tune.outputs.best}
    inputs: {data: "${steps.data.outputs.data}"}
    outputs: {model: model, metrics: metrics}
    working_dir: /work
    env: {OMP_NUM_THREADS: 2}
    shared_memory: 8Gi
    labels: {team: vision}
    annotations: {owner: team-a@example.com}
    queue: gpus
    image_pull_secrets: [registry]
    image_pull_policy: IfNotPresent
    node_selector: {disk: ssd}
    priority_class: research
    scheduler: volcano
    runtime_class: nvidia
    host_network: true
    host_ipc: true
    service_account: trainer
    grace_period: 1m
    pod: {enableServiceLinks: false}
    container: {lifecycle: {preStop: {sleep: {seconds: 5}}}}
    instance_type: ml.m5.xlarge
    instance_count: 1
    retries: 2
    timeout: 1h
    cache: false
    network: true
  evaluate:
    kind: evaluate
    command: [python, evaluate.py]
    inputs: {model: "${steps.train.outputs.model}"}
    outputs: {val_loss: float}
  register:
    kind: register
    module: kftune.training
    args: [register]
    after: [data]
    when: ${steps.evaluate.outputs.val_loss} < 0.5
    inputs: {model: "${steps.train.outputs.model}"}
""",
    "steps.NAME.secrets.NAME": """
steps:
  train:
    kind: train
    command: [python, train.py]
    secrets: {S3_KEY: {name: s3, key: secret-key}}
    arguments: {as: environment, prefix: HP_}
""",
    "steps.NAME.config_maps.NAME": """
steps:
  train:
    kind: train
    command: [python, train.py]
    config_maps: {S3_ENDPOINT: {name: s3-settings, key: endpoint}}
""",
    "steps.NAME.arguments": """
steps:
  train:
    kind: train
    command: [python, train.py]
    arguments: {names: dashes, style: --name value, booleans: flag-no, nulls: omit}
""",
    "steps.NAME.resources": """
steps:
  train:
    kind: train
    command: [python, train.py]
    resources:
      {cpu: 4, cpu_limit: 8, memory: 16Gi, memory_limit: 24Gi, ephemeral_storage: 50Gi, gpu: 2,
       gpu_resource: nvidia.com/gpu, gpu_type: NVIDIA-A100-SXM4-80GB, extra: {rdma/ib: 1}, nodes: 1, procs_per_node: 2}
""",
    "steps.NAME.job": """
steps:
  train:
    kind: train
    command: [python, train.py]
    resources: {nodes: 2, procs_per_node: 8, gpu: 8}
    job:
      kind: TrainJob
      launcher: images/launcher
      runtime: team-torch
      runtime_kind: TrainingRuntime
      service_account: reader
      resources: {cpu: 100m, memory: 256Mi}
    volumes: [{name: shared, mount: /shared, claim: circuits-shared}]
    share: shared
""",
    "steps.NAME.volumes[]": """
steps:
  train:
    kind: train
    command: [python, train.py]
    volumes:
      - {name: readings, mount: /data, claim: readings, sub_path: "2026", read_only: true}
      - {name: settings, mount: /etc/train, config_map: train-settings}
      - {name: keys, mount: /etc/keys, secret: train-keys}
      - {name: scratch, mount: /scratch, empty_dir: true, size_limit: 10Gi}
      - {name: bucket, mount: /bucket, csi: {driver: gcsfuse.csi.storage.gke.io}}
      - {name: cache, mount: /cache, ephemeral: {size: 100Gi}}
""",
    "steps.NAME.tolerations[]": """
steps:
  train:
    kind: train
    command: [python, train.py]
    tolerations:
      - {key: nvidia.com/gpu, operator: Exists, effect: NoSchedule}
      - {key: team, value: vision}
""",
    "steps.NAME.retries": """
steps:
  train:
    kind: train
    command: [python, train.py]
    retries: {limit: 3, backoff: 30s, factor: 2, max_backoff: 10m}
    arguments: {as: json-file, option: config}
""",
    "steps.NAME.inputs.NAME": """
steps:
  evaluate:
    kind: evaluate
    command: [python, evaluate.py]
    when: ${parameters.limit} > 0
    outputs: {val_loss: float, report: html}
  card:
    kind: container
    command: [python, card.py]
    inputs:
      limit: {type: float, value: 1}
      val_loss: {value: "${steps.evaluate.outputs.val_loss}", default: 9.9}
      report: {value: "${steps.evaluate.outputs.report}", optional: true}
""",
    "steps.NAME.outputs.NAME": """
steps:
  evaluate:
    kind: evaluate
    command: [python, evaluate.py]
    outputs:
      val_loss: {type: float, description: Loss of the model on the readings of the last week}
""",
    "defaults": """
defaults:
  image: registry.example/circuits:1
  resources: {cpu: 1, memory: 2Gi}
  retries: {limit: 1, backoff: 30s}
  timeout: 1h
""",
    "instances.NAME": """
instances:
  ml.local.large: {cpu: 4, memory: 16Gi}
steps:
  train: {kind: train, command: [python, train.py], instance_type: ml.local.large}
""",
    "exit": """
exit:
  image: registry.example/tell:1
  command: [python, tell.py]
  inputs: {status: "${run.status}"}
""",
    "parameters.NAME": """
parameters:
  circuit: {type: str, default: PLANT001/CIRCUIT01, description: Its readings are learned}
  epochs: 30
""",
    "loops.NAME": """
parameters:
  seeds: {type: list, default: [1, 2, 3]}
loops:
  circuits: {file: circuits.yaml, at: "*.*", fields: {key: str}, parallel: 2, on_failure: stop}
  seeds: {items: "${parameters.seeds}", item: int}
steps:
  data: {kind: data, command: [python, data.py], for_each: circuits, inputs: {circuit: "${item.key}"}}
  train: {kind: train, command: [python, train.py], for_each: seeds, inputs: {seed: "${item}"}}
""",
    "schedule": """
schedule: {cron: "30 4 * * 1-5", timezone: Europe/Berlin, concurrency: replace, suspend: true}
""",
    "targets.kfp": """
timeout: 6h
targets:
  kfp:
    version: "2.17"
    namespace: team-a
    service_account: pipeline-runner
    labels: {team: vision}
    annotations: {owner: team-a@example.com}
    pipeline_root: s3://artifacts/circuits
""",
    "targets.argo": """
timeout: 6h
targets:
  argo:
    version: "4.1"
    namespace: team-a
    service_account: pipeline-runner
    labels: {team: vision}
    annotations: {owner: team-a@example.com}
    keep_succeeded: 7d
    keep_failed: 30d
    keep_succeeded_runs: 3
    keep_failed_runs: 10
    starting_deadline: 30m
    executor_account: argo-executor
    launcher_account: launcher
    pod_gc: {when: step_succeeded, delay: 10m}
    artifact_gc: {when: run_deleted, service_account: artifact-gc, force: true}
    artifact_repository: {config_map: repositories, key: team-a}
    mutex: circuits
    semaphores: [{config_map: limits, key: gpus}]
""",
    "targets.local": """
timeout: 6h
targets:
  local: {images: {"registry.example/circuits:1": images/train}}
""",
}

PROJECT = {
    "": """
name: circuits
namespace: team-a
targets: [katib, argo]
files: [study.yaml, pipeline.yaml]
registry: [classes]
training_modules: [optimizers]
claims: {circuits-shared: {size: 5Gi}}
config_maps: {settings: [settings.yaml]}
overlays: {dev: {namespace: team-a-dev}}
""",
    "namespace": """
namespace: {name: team-a, create: true, labels: {team: vision}}
files: [study.yaml]
""",
    "claims.NAME": """
claims:
  circuits-shared: {size: 5Gi, access: [ReadWriteMany], storage_class: fast}
""",
    "overlays.NAME": """
overlays:
  dev:
    namespace: team-a-dev
    images: {registry.example/circuits: dev}
    set: {study.yaml: [budget.max_trials=4, step.resources.cpu=1]}
""",
}

EXPERIMENTS = {
    "": """
name: greenhouse
description: Three settings of the model for the greenhouse.
hparams: LstmHparams
step: {image: "registry.example/circuits:1"}
objective: {metric: val_loss, direction: minimize}
metrics: [train_loss, {name: val_mae, reduce: min}]
hyperparameters: [lstm_units, learning_rate]
trial_timeout: 30m
katib: {namespace: team-a}
experiments:
  small: {lstm_units: 32}
  large: {lstm_units: 128, learning_rate: 0.002}
targets: {val_loss: 0.05, val_mae: {at_most: 0.1}, convergence_epochs: 20}
""",
}

ALGORITHM = {
    "random": "algorithm: {name: random, seed: 7}",
    "grid": """
algorithm: {name: grid, seed: 7}
search: {learning_rate: {choice: [0.001, 0.003, 0.01]}} # the other domains of the class are lists
budget: {max_trials: 200}
""",
    "tpe": "algorithm: {name: tpe, seed: 7, settings: {gamma: 0.25, prior_weight: 1.0, n_EI_candidates: 48}}",
    "multivariate-tpe": """
algorithm: {name: multivariate-tpe, seed: 7, settings: {n_startup_trials: 5, n_ei_candidates: 48}}
""",
    "bayesianoptimization": """
algorithm:
  name: bayesianoptimization
  seed: 7
  settings: {base_estimator: GP, n_initial_points: 8, acq_func: EI, acq_optimizer: auto}
""",
    "cmaes": """
algorithm: {name: cmaes, seed: 7, settings: {sigma: 0.2, restart_strategy: ipop}}
search: {learning_rate: {loguniform: [1e-4, 1e-2]}, batch_size: {int: [16, 64]}}
""",
    "sobol": "algorithm: {name: sobol, seed: 7}",
    "hyperband": """
algorithm: {name: hyperband, settings: {r_l: 27, eta: 3, resource_name: epochs}}
search: {epochs: {int: [1, 27]}}
budget: {max_trials: 27, parallel: 27} # Katib needs both for a bracket
""",
    "pbt": """
algorithm:
  name: pbt
  settings: {suggestion_trial_dir: /checkpoints, n_population: 10, truncation_threshold: 0.2}
""",
    "nsga2": """
algorithm: {name: nsga2, seed: 7, settings: {population_size: 10, crossover: sbx}}
objectives: [{metric: val_loss, direction: minimize}, {metric: parameters, direction: minimize}]
""",
}

# Settings of a pod, by the keys below a step.
_OF_PODS = {
    "security": """security:
  {run_as_user: 1000, run_as_group: 1000, fs_group: 2000, run_as_non_root: true, read_only_root: true}""",
    "security.capabilities": "security: {capabilities: {add: [IPC_LOCK]}}",
    "volumes[].csi": """volumes:
  - name: bucket
    mount: /bucket
    csi: {driver: gcsfuse.csi.storage.gke.io, attributes: {bucketName: readings}, secret: bucket}""",
    "volumes[].ephemeral": """volumes:
  - name: cache
    mount: /cache
    ephemeral: {size: 100Gi, storage_class: fast, access: ReadWriteOncePod}""",
    "affinity": """affinity:
  require: {topology.kubernetes.io/zone: [a, b]}
  prefer: {disk: ssd}
  same_node: false
  spread: true""",
    "topology_spread[]": "topology_spread: [{key: topology.kubernetes.io/zone, max_skew: 2, required: true}]",
    "preemption": "preemption: {retries: 2, spot: gke}",
}


def _indented(text: str, by: int) -> str:
    return "".join(f"{' ' * by}{line}\n" for line in text.splitlines())


for _key, _text in _OF_PODS.items():
    STUDY[f"step.{_key}"] = (
        f"\nstep:\n  image: registry.example/circuits:1\n  command: [python, train.py]\n{_indented(_text, 2)}"
    )
    PIPELINE[f"steps.NAME.{_key}"] = (
        f"\nsteps:\n  train:\n    kind: train\n    command: [python, train.py]\n{_indented(_text, 4)}"
    )
