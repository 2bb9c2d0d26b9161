"""How values become frames and back. One format, one library, one file."""
