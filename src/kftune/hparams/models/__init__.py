"""Hyperparameter classes of the built-in models, one module for each; none imports torch."""
