"""Configuration, Verilog, reports and the command line."""
