"""What the computer gives and takes: memory, compiled loops, taking turns, ending work in the middle."""
