"""Pictures -> H.264 packets: live encoder, shared loops, and the splice between them."""
