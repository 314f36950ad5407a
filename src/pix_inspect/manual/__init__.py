"""The protocol manual as pages: made from the declarations, with examples from recordings.

blocks     what a page consists of
chapters   the prose: how a connection goes, primitives, log, payload, versions, traps
errata     where other documents differ from what real Nix does
pages      all pages: chapters, and one for everything that is declared
sequence   a picture of who says what when
links      which words lead where
html, markdown   the writers
"""
