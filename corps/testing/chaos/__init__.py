"""Faults on purpose, and a judge that stands outside of the runtime: see docs/guides/chaos.md."""
