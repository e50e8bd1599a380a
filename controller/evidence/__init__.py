"""Pure statistics on arrays: paired tests, intervals, distances between profiles.

Workers turn predictions into evidence with it; the control plane only compares the resulting numbers.
"""
