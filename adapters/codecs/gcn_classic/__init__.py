"""Dialects of GCN classic notices in VOEvent form, one file per mission; `table.read_classic` is the door."""
