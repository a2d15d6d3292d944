"""The checks, a module for each area of the catalogue. Importing one registers its checks."""
