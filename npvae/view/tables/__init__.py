"""Tables of results for the terminal and the report."""
