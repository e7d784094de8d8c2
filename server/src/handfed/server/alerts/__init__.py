"""Telling people elsewhere, by webhook and by mail, what needs them."""
