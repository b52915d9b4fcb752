"""The processor: a core with memories, buses and a controller around it."""
