"""What makes the library's pages; not part of the package."""
