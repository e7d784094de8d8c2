"""What goes on, in one look."""
