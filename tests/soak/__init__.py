"""Hours of play in minutes of looking: does the page stay as it began?"""
