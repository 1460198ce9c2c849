"""The second factor of a login: codes that change every 30 seconds, and recovery codes."""
