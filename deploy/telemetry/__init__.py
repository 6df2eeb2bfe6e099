"""A run as a trace of OpenTelemetry's, where the environment says whom to send it to.

```
spans.py       the spans that a run's events come to. Pure
wanted.py      whether it is to be sent, and what is in the way
otlp.py        sends them by OpenTelemetry's SDK (the extra `otel`)
listener.py    the listener of the stream: sends at its end, and is waited for 5 s at most
```
"""
