"""A Rubin night at any fraction of its size: each packet is a function of the seed, the date and its place in the sky."""
