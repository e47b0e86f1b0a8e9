"""What happens to cells besides reactions, defined once for every simulator and solver: burst sizes, divisions."""
