"""Large frames through memory that two processes map."""
