"""Predicts the API server's answer to custom objects of Trainer, Argo, KFP and the training operator."""

TRAINER_VARIABLES = frozenset(
    {"PET_NNODES", "PET_NPROC_PER_NODE", "PET_NODE_RANK", "PET_MASTER_ADDR", "PET_MASTER_PORT"}
)
"""Variables that Trainer sets in every pod of torch; it rejects a TrainJob that sets them."""

# Source: kubeflow/trainer, manifests/base/runtimes: the ClusterTrainingRuntimes that Trainer installs.
LAUNCHER_RUNTIMES = frozenset({"deepspeed-distributed", "mlx-distributed"})
"""Runtimes of MPI: the training starts in the replicated job `launcher`, and `node` runs sshd."""
INITIALIZER_RUNTIMES = frozenset(
    {
        "grpo-distributed",
        "torch-distributed-with-cache",
        "torchtune-llama3.2-1b",
        "torchtune-llama3.2-3b",
        "torchtune-qwen2.5-1.5b",
    }
)
"""Runtimes with pods that fetch data or a model first. Katib rejects pods without the trial's primary container."""
OTHER_RUNTIMES = frozenset({"flux-distributed", "jax-distributed", "xgboost-distributed"})
"""Runtimes whose pods run the training, without the variables that torchrun reads."""
TORCH_RUNTIMES = frozenset({"torch-distributed"})
"""Runtimes whose pods run the training, with the variables that torchrun reads."""
