"""Predicts whether a cluster admits an Experiment: the answer of the API server and of Katib's webhooks."""

from kftune.katib.admission.verdict import Stage, Verdict, admit, not_yaml

__all__ = ["Stage", "Verdict", "admit", "not_yaml"]
