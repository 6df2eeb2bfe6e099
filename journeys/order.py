"""What the shop is for: sign in, place an order, and see it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from playwright.sync_api import expect

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from deploy.smoke.browse import Site


def journey(page: Page, site: Site) -> None:
    """Run by Headway; the note makes the order this one's own."""
    note = f"smoke {site.run} on {site.host or 'the site'}"
    page.goto("/")
    page.get_by_label("Password").fill("demo")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading")).to_have_text("Your orders")
    page.get_by_label("Note").fill(note)
    page.get_by_role("button", name="Order", exact=True).click()
    expect(page.get_by_role("listitem").filter(has_text=note)).to_have_count(1)
