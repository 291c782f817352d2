"""Ways to start the processes of Envs: each starts them, watches them, and ends them."""
