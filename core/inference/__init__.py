"""Running the network on images: predictors behind one protocol, and tiles."""
