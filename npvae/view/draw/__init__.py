"""Pictures, one per file, and the styles and helpers that they share."""
