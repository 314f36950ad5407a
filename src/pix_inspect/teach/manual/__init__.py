"""The protocol manual as pages: made from the declarations, with examples from recordings.

chapter    the prose: how a connection goes, primitives, log, payload, versions (chapters); the
           gRPC service (service)
page       chapters, and one for everything that is declared (pages, specimens, layouts)
block      what a page consists of (blocks); a link is which words lead where (links)
sequence   a picture of who says what when (sequence)

Imports `teach` and below. Begin at `pages`; `html`, `markdown` and `roff` (for man) write them.
"""
