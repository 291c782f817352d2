"""The Savina benchmarks of actor systems (Imam and Sarkar, AGERE! 2014), as programs in Python.

Each folder is one benchmark: its package describes it, without any system, says how large it is and what
the right answer is; beside it lies a program for each system, written as the guide of that system writes.
`suite` lists them, and the `_place` modules run them. Of the suite's thirty, those are left out that
compute and hardly talk: filter bank, facility location, trapezoids, pi, matrices, shortest paths,
relaxation, and A*.
"""
