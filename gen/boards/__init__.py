"""Boards: from a configuration to a bitstream, with open tools from PyPI."""
