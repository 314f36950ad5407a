"""The screens beside the main one: each a list of rows with details. Begin at `findings`."""
