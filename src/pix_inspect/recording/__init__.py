"""The recording: a pcapng file of synthetic TCP streams, written, rotated, read and followed.

block     what a pcapng file is made of (pcapng, sections)
packet    one chunk that passed, or an event (packet)
note      the JSON in comments, all of it declared (notes); what it says of stalls (stall_notes)
stream    a connection as packets, and back (stream_writer, stream_reader, tcp_headers,
          lookalikes)
sink      the file that is written, or a pipe (sinks); where it is read (source)
writer    takes chunks from many threads, and never makes them wait (writer, writer_thread)
reader    packets in order, of a file that may grow (reader); how it was made (about)

Imports `base` and `pix`. Begin at `writer` for writing, at `reader` for reading.
"""
