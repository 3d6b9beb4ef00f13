"""What the trials of many entities have in common: good ranges, shared defaults, a narrowed space.

An entity is a separate study with the same objective, such as the circuit of a plant. Entities reach different
levels, so only the order of trials within an entity counts, and no value of one is compared with one of another.
"""

from kftune.results.across.summary import ACROSS_FORMAT, shared_order, summarise

__all__ = ["ACROSS_FORMAT", "shared_order", "summarise"]
