"""The engine as one warm process per user and machine: HTTP on loopback, and the client that finds or starts it."""
