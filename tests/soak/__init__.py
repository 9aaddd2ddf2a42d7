"""Long runs: what is tested a few times elsewhere, many times."""
