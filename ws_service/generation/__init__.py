"""One engine, many sessions: requests joined to batches, earliest deadline first."""
