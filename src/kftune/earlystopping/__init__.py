"""Katib's early stopping with kftune's rules: a service that a cluster registers, and what it decides.

Katib asks an early stopping service when it creates trials, and never again: its answer is fixed for the life of a
trial. So each rule has an approximation of that form (`approximation`), which the service gives (`service`), and which
`kftune run` applies to Experiments on this machine.
"""
