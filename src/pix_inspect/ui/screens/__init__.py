"""The screens beside the main one: a head, a list of rows, details, the way back (detail_screen).

statistics    where the time went (statistics, tallies, charts)
findings      what is irregular (findings); waits: who waits for whom (waits)
round trips   what distance costs (round_trips)
comparison    two exchanges (differences), two recordings (recordings, comparison)

Begin at `detail_screen`, then `findings`.
"""
