"""The words of the field: frozen dataclasses, no files, sockets, SQL or HTTP."""
