"""The log of a Corps: records of all its Envs come together, and go on to sinks."""
