"""The folder from which Python takes the worker's `sitecustomize`. The worker knows the standard library only."""
