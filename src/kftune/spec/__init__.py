"""What all authored files share: their kinds, loading, sections, labels, quantities and containers."""
