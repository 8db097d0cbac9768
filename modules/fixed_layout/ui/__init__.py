"""Views of 版式文件."""
