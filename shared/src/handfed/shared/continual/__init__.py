"""Learning on without forgetting: rules as values and pure functions, with no device, server or framework in them."""
