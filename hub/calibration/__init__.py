"""Whether the hub's numbers mean what they say: simulations of what is known, put to the same functions that the hub uses."""
