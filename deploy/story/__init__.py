"""What is kept of a run after its end, so that it can be told from any machine.

```
story.py     what a story is
codec.py     a story as a file, and back
before.py    what the run found, and what of that it changed
recorder.py  hears a run, and puts its story together at the end
shelf.py     where stories lie: on the host that keeps the lease
remains.py   what can be told of a run that died
traffic.py   what a load saw of the site meanwhile
```
"""
