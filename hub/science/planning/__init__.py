"""Where to point: fields on a sky map that together hold the most probability, in time slots of a night. Pure, no I/O."""
