"""Emission: from a tree of hardware units to stand-alone Verilog and its manifest."""
