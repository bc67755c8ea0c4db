"""Training: annotated images, augmentation, the loop, the size model, simulated fields."""
