"""For tests of applications and of corps itself: leak checks, a network in memory, contract suites.

Nothing inside corps imports it.
"""
