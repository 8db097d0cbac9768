"""The pages of people and roles, devices, and the audit log."""
