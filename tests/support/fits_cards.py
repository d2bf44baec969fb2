"""FITS headers written card by card, for files that no library would write."""


def header_card(key, value):
    return f"{key:<8}= {value:>20}".ljust(80)


def padded(*cards):
    """Return a header unit of the cards."""
    text = "".join((*cards, "END".ljust(80)))
    return text.ljust(-(-len(text) // 2880) * 2880).encode()


def primary():
    return padded(header_card("SIMPLE", "T"), header_card("BITPIX", 8), header_card("NAXIS", 0))


def raw_fits(*cards, data=b""):
    """Return an empty primary unit, a header of the cards, and data without padding."""
    return primary() + padded(*cards) + data


def table_cards(row_bytes, rows, *columns, ordering="NUNIQ"):
    return (
        "XTENSION= 'BINTABLE'".ljust(80),
        header_card("BITPIX", 8),
        header_card("NAXIS", 2),
        header_card("NAXIS1", row_bytes),
        header_card("NAXIS2", rows),
        header_card("PCOUNT", 0),
        header_card("GCOUNT", 1),
        header_card("TFIELDS", len(columns)),
        *(
            card
            for i, (name, form) in enumerate(columns, 1)
            for card in (f"TTYPE{i}  = '{name}'".ljust(80), f"TFORM{i}  = '{form}'".ljust(80))
        ),
        f"ORDERING= '{ordering}'".ljust(80),
    )
