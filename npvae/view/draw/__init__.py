"""Pictures, one in each file, and what they are drawn with."""
