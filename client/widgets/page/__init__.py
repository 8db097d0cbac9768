"""Pages as pictures: display lists painted on ``QImage``, on any thread.

``painter.paint`` is the way in; a ``cache.PaintCache`` for each open document keeps fonts and decoded images between
pages.
"""
