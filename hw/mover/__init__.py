"""Movers: what carries out LOAD, STREAM and STORE, between the bus and the memories."""
