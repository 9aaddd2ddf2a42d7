"""The embedded engine: real time on a CPU, no downloaded weights."""
