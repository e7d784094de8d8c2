"""What runs on a device: reading with a release (`edge`), readers of handwriting (`datasets`), training (`trainer`)."""
