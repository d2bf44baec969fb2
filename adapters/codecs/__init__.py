"""One wire format each: bytes to words and back, no sockets."""
