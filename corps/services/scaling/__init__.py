"""Pools whose size follows their load: what looks at them, and begins and ends their instances."""
