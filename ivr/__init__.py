"""Talkmeter, the application: telephony, what the caller hears, the web, the command line."""
