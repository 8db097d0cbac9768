"""Writes OFD (GB/T 33190-2016) from display lists: the same page model that reading gives and painting takes.

``write(Volume(...))`` gives a package's bytes; the same volume gives the same bytes. Elements stand in the order of the
standard's schemas, fonts are embedded as subsets, images as they are.
"""

from modules.common.ofd.writing.package import write
from modules.common.ofd.writing.volume import Heading, Info, Leaf, Store, Volume, font_from, media_from

__all__ = ["Heading", "Info", "Leaf", "Store", "Volume", "font_from", "media_from", "write"]
