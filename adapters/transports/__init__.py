"""How bytes travel; what they mean is not known here."""
