"""Streams: lossless plumbing between blocks."""
