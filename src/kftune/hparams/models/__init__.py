"""Hyperparameter classes of the built-in models, one module a model; none of them imports torch."""
