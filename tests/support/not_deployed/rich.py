"""Stands before the package of this name, which is not deployed: other packages load it wherever they find it."""

raise ImportError("not deployed", name="rich")
