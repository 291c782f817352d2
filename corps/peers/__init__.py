"""Requests from Env to Env: what is asked of each peer, what it has asked, and what became of it.

May send over a link; knows no socket and no worker. What arrives is handed to a `deliver` function that the
Env passes in.
"""
