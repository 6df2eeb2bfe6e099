"""Who is told of a run, and hears of it beside the run: nobody is waited for but at its end.

```
links.py      addresses of commits, pull requests, comparisons. Pure
record.py     the run as plain values, for programs. Pure
message.py    the run as a message of Slack's. Pure
markdown.py   what comes, for the summary of a job. Pure
slack.py      sends it: one message that is edited, or two by a webhook
webhook.py    the record, signed, to any address
hooks.py      commands of the team's own
notifier.py   the listener of the stream: a thread for each of them
choose.py     those of a hosts file
```
"""
