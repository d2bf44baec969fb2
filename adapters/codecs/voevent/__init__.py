"""VOEvent 1.1, 2.0 and 2.1 in, 2.0 out; `reader.decode` and `writer.VoeventRenderer` are its doors."""
