"""One page about one configuration: what it is, how large, how fast, how much energy, how exact."""
