"""Long-running loops."""
