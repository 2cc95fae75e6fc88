"""Delivery: one sequential loop per lane, from the journal to the vendor."""
