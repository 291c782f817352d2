"""Timers: workers are called at a time."""
