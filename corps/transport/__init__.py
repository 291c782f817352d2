"""The ways from one Env to another: links, the peers they lead to, and who reads.

May block and may send; knows no workers. What arrives is handed to a `deliver` function that the Env
passes in. Incoming frames are read by one thread of the Env; every thread may send.
"""
