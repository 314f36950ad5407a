"""One exchange for people and programs, without a screen.

about       what an exchange is about, in a few words (about)
field row   its fields as a tree (field_rows)
bytes       every byte with its name (annotated_bytes)
render      as text, as a JSON object (text_and_json)

Imports `findings` and below. Begin at `field_rows`.
"""
