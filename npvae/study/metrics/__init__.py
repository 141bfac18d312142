"""How samples compare with data, and codes with N(0, I)."""
