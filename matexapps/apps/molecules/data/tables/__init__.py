"""Tables of molecules that are made from installed packages."""
