"""The golden model, in PyTorch: what the hardware must give, bit for bit."""
