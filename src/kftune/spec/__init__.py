"""What all authored files share: sections, values, labels, quantities."""
