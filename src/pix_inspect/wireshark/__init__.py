"""Wireshark reads the protocol: a dissector made of the declarations, and a capture interface.

dissector.lua   an interpreter of declarations over TCP streams, written by hand; knows no operation
tables          the declarations as Lua, which the dissector has at its top
folders         where Wireshark looks for what people add to it; writing there, and taking it away
extcap          what Wireshark asks of a program that captures, and the recording that answers it

Imports `pix.protocol`, `capture` and `base`. Begin at `tables`, then read the Lua from its top.
"""
