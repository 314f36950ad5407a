"""The sub-commands, one module each; `pix_inspect.cli` imports them when chosen.

A command has `arguments(parser)` and `run(args)`; what it does lives in the packages below.
"""
