"""What models are worth in each scheme: their own measures, on the golden model."""
