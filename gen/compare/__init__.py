"""Scale schemes against each other: area, delay, energy, memory and error."""
