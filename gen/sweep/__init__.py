"""Grids of configurations measured over cycles, area, energy and error, in parallel and resumable."""
