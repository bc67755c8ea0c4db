"""Files below any picture: safe writing, things that belong together, what may be opened, archives and .npy files."""
