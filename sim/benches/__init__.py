"""cocotb benches, loaded by the simulator."""
