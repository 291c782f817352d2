"""Measures corps, and in the same run what the medium itself costs: ``python -m benchmarks --help``."""
