"""`musetalk bench engine`: how fast MuseTalk is on this machine, and how that compares with the reference's way."""
