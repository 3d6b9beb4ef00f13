"""A trial on Katib: substitution, wrapper, collector, stopping, status."""
