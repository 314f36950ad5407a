"""What is irregular in a session: each with its grade, place, reason and advice.

finding     one irregularity (finding)
kind        what sorts there are, how grave, what to do (kinds, downgrade)
detector    looks at one exchange (detector, handshakes, messages; look is what it may know;
            frames_alike need not be looked at; half_recorded blames nobody for what is missing)
collector   all findings of a session (collector), as lines (text)
lookup      the findings of one exchange, remembered (lookup)

Imports `forensics`, `session` and below. Begin at `kinds`, then `detector`.
"""
