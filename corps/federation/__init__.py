"""Many Corps: what lets one reach another, and what of it may be reached."""
