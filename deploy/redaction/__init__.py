"""Secrets kept out of whatever is printed: one redactor, at the one place that all output passes.

```
forms.py     a secret → every way in which it may be written
redactor.py  a text → the text with a mask in place of each
sink.py      standard output and standard error of a task, redacted
```

What a program says is cut, escaped and wrapped on its way, and nobody finds a secret that was cut
in two. So a run's events are redacted by the same redactor before any view shapes them
(`deploy.events.Stream`), and the sink is what even a forgotten `print` can't go around.
"""
