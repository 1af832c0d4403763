"""The whole chat as a small model: rules in Python beside those of the server, to hold it against.

cells      values that the server chooses, and readable differences
journal    entries: who sees them, and what they show
realm      rooms, coming and going
talk       messages
people     members, bans
follow     what one reader is due, replayed and live
readers    real streams and chains of polls, held against that
plays      random commands
checks     what every request for state must answer
game       all of it together
"""
