"""Wireshark reads the protocol: a dissector made of the declarations, and a capture interface.

lua/        an interpreter of declarations over TCP streams, written by hand; knows no operation
tables      the declarations as Lua; with lua/ behind them they are the dissector
folders     where Wireshark looks for what people add to it; writing there, and taking it away
extcap      what Wireshark asks of a program that captures

Imports `pix.protocol`, `capture` and `base`. Begin at `tables`, then at lua/head.lua.
"""
