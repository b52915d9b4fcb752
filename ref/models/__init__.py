"""Real models as `torch.nn.Module`s whose layers are plain `nn.Linear`s, in float32."""
