"""OFD, the national fixed-layout format (GB/T 33190-2016), without Qt: package, document, pages, text.

``Document.open`` gives pages as display lists (``display.py``); ``client/widgets/page`` paints them.
"""
