"""What stands for the world outside: a Slack, a Cloudflare and somebody's webhook.

```
server.mjs  takes what they are sent, answers as they do, and writes it down. In a container
faults.py   how each of them can misbehave. Pure
told.py     reads what was written down
shown.py    as text for people. Pure
```
"""
