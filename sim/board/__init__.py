"""Whole boards in simulation, from pin to pin."""
