"""Processes: started from a warm template, watched, their output kept, and ended without orphans."""
