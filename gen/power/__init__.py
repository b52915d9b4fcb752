"""Power and energy of a whole core: its gates run on a real layer, and what that says of other technologies."""
