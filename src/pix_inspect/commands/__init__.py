"""The sub-commands, one module each; `pix_inspect.cli` imports them when chosen (`catalogue`).

A command has `arguments(parser)` and `main(args)`; what it does lives in the packages below.
`demo` tells the story of `demo_story`; `import_` is `import`; `man_pages` are made of the parsers.
"""
