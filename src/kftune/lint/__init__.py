"""What a cluster would make of a Katib Experiment, told without a cluster.

`sources` finds the Experiments, `judging` joins the answer of Katib's admission with what will happen afterwards,
`report` writes it down. `python -m kftune.lint.pages docs/lint` writes the rules' pages.
"""
