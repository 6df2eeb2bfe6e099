"""Pages to look at: one HTML file each, without scripts, and with nothing that is fetched.

```
render.py   a template and its values → text, everything escaped
svg.py      the drawings. Pure
report.py   the page of one run: what its template is given. Pure
templates/  base.html and style.css are every page's
```
"""

from deploy.page.report import report

__all__ = ["report"]
