"""The program: keys, commands, recordings in tabs, and what opens what.

app         what is begun and ended (app, ending, leaving, remembering), in fewer characters
            (look_alikes)
key         what each does, and where (keys, help, palette); in their order (input_order), pastes
            (pastes)
choice      keys, themes and looks of the user's own (user_settings, user_keys, user_themes)
recording   in tabs (open_recordings), replayed (replay), written out (export, saving)
guide       what is to be seen (guide), in a tour (touring)
screen      what opens which, and where it leads back to (other_screens)

Imports all of `ui`. Begin at `app`.
"""
