"""Simulation of the generated Verilog: cocotb and Verilator."""
