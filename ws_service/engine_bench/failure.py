"""What can go wrong while measuring."""


class BenchError(Exception):
    """A part cannot be measured; the sentence says why."""
