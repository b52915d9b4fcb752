"""From memories and buffers to the core's streams: who reads what, in which order, how often."""
