"""The wire: messages, binary header, codes. Imports the standard library and pydantic only."""
