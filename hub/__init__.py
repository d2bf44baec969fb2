"""The multimessenger hub: the core that works in the words of the field."""
