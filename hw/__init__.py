"""The hardware, in Amaranth: one folder per block."""
