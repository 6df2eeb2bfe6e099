"""Pages to look at: one HTML file each, without scripts, and with nothing that is fetched.

```
render.py   a template and its values → text, everything escaped
svg.py      the drawings. Pure
report.py   the page of one run: what its template is given. Pure
history.py  the page of all runs, likewise
templates/  base.html and style.css are every page's
```
"""

from deploy.page.history import history
from deploy.page.report import report

__all__ = ["history", "report"]
