"""Measures corps, and in the same run what the medium itself costs: ``python -m benchmarks --help``.

``cases`` says what is measured, ``subjects`` who is: corps, floors and peers. Each subject runs in a process
of its own (``subject_process``), and is asked round by round (``running``). All after that is pure:
``results`` holds what was measured, ``targets`` and ``compare`` judge it, ``report``, ``pages`` and ``plots``
show it, and ``history`` keeps it. ``core`` and ``savina`` are measured on demand.
"""
