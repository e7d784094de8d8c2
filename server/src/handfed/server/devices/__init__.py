"""Invitations, and the devices that joined with them."""
