"""The drawing that the built-in avatar is made from; see README.md for its origin and licence."""
