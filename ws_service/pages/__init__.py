"""Browser pages, plain files."""
