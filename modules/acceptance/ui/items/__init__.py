"""事项管理: the page on which service items are kept."""
