"""The sub-commands, one module each; `pix_inspect.cli` imports them when chosen."""
