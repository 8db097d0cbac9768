"""A stand-in for the provincial catalogue of service items (省级事项库); see ``docs/province-protocol.md``."""
