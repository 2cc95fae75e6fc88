"""The journal's tests; a package, as they share what `conftest` makes."""
