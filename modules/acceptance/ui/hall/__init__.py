"""The hall: its floor plan, its screen, its ticket machine and its appointments."""
