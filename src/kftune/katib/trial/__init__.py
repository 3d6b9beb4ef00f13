"""What happens to a trial on Katib: substitution, wrapper, collector, stopping, status."""
