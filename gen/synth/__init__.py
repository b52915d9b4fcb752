"""Synthesis for standard cells: area and delay of units."""
