"""The cases, a module for each theme, with the programs that measure them."""
