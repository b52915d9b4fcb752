"""The core: residual matrix core and low-rank vector core, joined."""
