"""pix-inspect: relay, recording, screen and tools around the codec in `pix`."""
