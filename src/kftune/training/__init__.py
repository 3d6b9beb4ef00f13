"""Training inside the container: ``python -m kftune.training MODEL --name=value …``.

Importing this package imports no torch; the modules of the models do.
"""
