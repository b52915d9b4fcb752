"""The host link: frames over a serial port, carried out as reads and writes of the board's words."""
