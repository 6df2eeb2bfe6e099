"""Asks a site, as a visitor does, whether what was deployed works.

`probes` says what is asked, `ask` asks, `judge` says what an answer is worth, and `smoke` does it
all at once and collects the results.
"""
