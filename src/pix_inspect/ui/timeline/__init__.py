"""The timeline: exchanges as rows, in columns, sorted and grouped. Begin at `timeline`."""
