"""The rehearsal: what is to be done to a database, done first where it can do no harm."""
