"""Drift, measured beside what people use today: speed and memory, false alarms, power, streams."""
