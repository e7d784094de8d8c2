"""Organisations, and the people who act for them or for the federation: tokens, roles, scopes."""
