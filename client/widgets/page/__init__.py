"""Pages of fixed-layout documents as pictures, and the view that shows them.

``Source`` (``source.py``) is what the reader asks a document for, whatever its format.
"""
