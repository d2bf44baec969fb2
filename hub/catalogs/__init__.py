"""Catalogues of galaxies, AGN, blazars, variables and others: one local format, read from public files, searched by place."""
