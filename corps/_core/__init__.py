"""The native core, in Cython: what each request passes on its way inside an Env, without the interpreter.

`engine.pyx` says how it stays right. `corps.core` puts it under the Python classes that define it.
"""
