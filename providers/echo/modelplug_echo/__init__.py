"""The echo backend: it says back what it was asked, word by word."""
