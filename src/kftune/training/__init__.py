"""Training inside the container: ``python -m kftune.training MODEL --name=value …``.

Importing this package does not import torch; only the modules of the models do.
"""
