"""Memories of the processor."""
