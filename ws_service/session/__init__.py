"""One conversation: state, timeline, speech, pacing. Knows no framework, codec or thread."""
