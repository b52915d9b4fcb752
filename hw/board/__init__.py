"""What stands around the processor on a board: memory, host link, self-test, clock, lights."""
