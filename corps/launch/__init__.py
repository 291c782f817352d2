"""From a source (a file, a module, a class) to a running Corps, and to its end."""
