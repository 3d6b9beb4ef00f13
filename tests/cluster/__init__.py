"""A Kubernetes cluster of one node for the tests, with Katib and Argo Workflows: ``make cluster``."""
