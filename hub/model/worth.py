"""Names of the numbers that say what a candidate is worth, and what they rest on; how they are computed: `hub.science.worth`."""

MU = "mu"
"""Unrelated objects expected in the map whose level and score are at least as good."""

CHANCE = "chance"
"""Probability of at least one such object."""

LIVE_MAPS = "live_maps"
"""How many live events the object was tried against."""

PROBABILITY = "probability"
"""That it is the counterpart."""

EXPECTED = "expected_unrelated"
"""Unrelated objects an event that are expected to do as well: what decides whether it is announced."""

WORTHS = frozenset({MU, CHANCE, LIVE_MAPS, PROBABILITY, EXPECTED})
"""All of them. They are measured beside the stream: that they changed is no news to the world, unless something follows."""

BY_SCORE = "its score and the configured background"
"""What the expected number rests on where none was measured."""

MEASURED = "the measured background"

RARER = "the measured background, where nothing is as good, and its score"
