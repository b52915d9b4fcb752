"""Integer units: dot products and carry-save trees."""
