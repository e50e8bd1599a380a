"""Implementations of the ports, one package a technology."""
