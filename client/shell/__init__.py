"""The window around the modules: sign-in, navigation, home, palette, settings, lock, notices, crash dialog."""
