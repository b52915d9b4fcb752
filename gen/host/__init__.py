"""What a host does with a processor: load a compiled program, start it, read what came of it."""
