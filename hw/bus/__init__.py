"""Buses: AXI4 to DRAM, AXI4-Lite to the host, registers."""
