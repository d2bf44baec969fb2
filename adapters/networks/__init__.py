"""One telescope network each."""
