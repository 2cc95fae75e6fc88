"""A self-hosted, Segment-compatible event gateway for commerce."""
