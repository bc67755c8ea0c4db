"""Models: the registry and the ones that ship in the package."""
