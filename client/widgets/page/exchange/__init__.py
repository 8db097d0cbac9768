"""From PDF to OFD and back, by way of display lists; without Qt."""
