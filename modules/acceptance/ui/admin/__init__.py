"""大厅设置 and 委托与常用语: what administrators set for everyone, and what people set for themselves."""
