"""Predicts the API server's answer to custom objects of Trainer, Argo, KFP and the training operator."""

TRAINER_VARIABLES = frozenset(
    {"PET_NNODES", "PET_NPROC_PER_NODE", "PET_NODE_RANK", "PET_MASTER_ADDR", "PET_MASTER_PORT"}
)
"""Variables that Trainer sets in every pod of torch; it rejects a TrainJob that sets them."""
