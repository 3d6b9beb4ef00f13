"""A process that ends the trials of a run when the run itself was killed."""
