"""Models: the registry and the bundled models."""
