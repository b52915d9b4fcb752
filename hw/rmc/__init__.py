"""Residual matrix core: INT4 dot products, fine dequantization by shifts, coarse scales in floating point."""
