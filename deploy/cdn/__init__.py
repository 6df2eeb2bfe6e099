"""What stands before the site and keeps copies of it: told to fetch them anew.

```
cdn.py         what each of them is to the rest, and all of them at once
choose.py      those of a hosts file
cloudflare.py  fastly.py  bunny.py    over HTTP
cloudfront.py  by boto3, which is an extra
```
"""
