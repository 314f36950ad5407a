"""The protocol manual as pages: made from the declarations, with examples from recordings.

chapter    the prose, in the order in which it is read (chapters): the textbook's (textbook), its
           client of 40 lines (client), exercises (exercises), a glossary (glossary), from
           `pix.daemon` to bytes (from_pix), the gRPC service (service)
page       chapters, and one for everything that is declared (pages, specimens, layouts)
block      what a page consists of (blocks); a link is which words lead where (links)
sequence   a picture of who says what when (sequence)

Imports `teach` and below. Begin at `pages`; `html` (with full_text for its search), `markdown` and
`roff` (for man) write them.
"""
