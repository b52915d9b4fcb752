"""The register map: one description in SystemRDL, and everything that is made from it."""
