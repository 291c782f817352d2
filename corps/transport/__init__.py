"""Frames from one Env to another: what every way of sending offers, and the ways there are.

May block and may send; knows no request. One thread of the Env reads the incoming frames; every thread may
send.
"""
