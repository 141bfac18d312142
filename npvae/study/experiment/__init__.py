"""The parts of a comparison: one model's study, its samples judged, controls, a cache of finished work."""
