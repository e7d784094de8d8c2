"""What leaves a device."""
