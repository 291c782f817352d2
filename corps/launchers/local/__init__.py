"""Processes of this host: started from a warm template, watched, and ended without orphans."""
