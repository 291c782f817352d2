"""What a fault raises that had no effect."""


class Missed(Exception):
    """A fault could not be injected: there was nothing to hit, or it did not hold still."""
