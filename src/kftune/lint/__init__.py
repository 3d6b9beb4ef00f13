"""What a cluster would make of a Katib Experiment, told without a cluster.

`reading` reads YAML as kubectl does, `admission` answers as the API server and Katib's webhooks do, `judging` adds what
will happen afterwards, `report` writes it down. `python -m kftune.lint.pages docs/lint` writes the rules' pages.
"""
