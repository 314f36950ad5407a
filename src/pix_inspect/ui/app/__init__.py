"""The program: keys, commands, recordings in tabs, and what opens what. Begin at `app`."""
