"""How many instances a pool has, and where they are: decisions. Pure: values in, values out."""
