"""Files of other recorders, turned into recordings.

capture   connections with chunks, whatever they were read from (captures)
tcp       connections to a port in a pcap or pcapng file (tcp_capture): its packets
          (packet_files), segments (tcp_segments), what order they were in (tcp_streams)
sockdump  what passed on a Unix socket, in a pcap of its own (sockdump)
socat     what socat -x wrote of what it passed on (socat)
raw       one file a direction, with or without times (raw_streams)
nixwire   the container of nix-wire (nixwire)
remarks   what is to be said of a capture (remarks)
hello     what either side says first (hellos)
opened    files, and what compressed ones hold (opened)
strace    system calls on the socket's descriptor (strace)

Imports `recording`, `base` and `pix`. Begin at `captures`.
"""
