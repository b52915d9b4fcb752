"""Low-rank vector core, which also adds residual, low-rank sum and bias."""
