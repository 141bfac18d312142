"""What the laboratories found: a text and a picture for each, ``text(result)`` and ``draw(result)``."""
