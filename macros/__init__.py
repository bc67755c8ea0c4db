"""The commands that `cellspan install fiji` puts into Fiji and plain ImageJ."""
