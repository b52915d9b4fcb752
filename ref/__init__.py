"""The golden model in PyTorch: what docs/numerics.md says, bit for bit, on whole tensors. Never imports Amaranth."""
