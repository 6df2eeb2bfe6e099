"""The tasks of this repository: Headway's own, over the environments in `hosts/`."""

from deploy import namespace

ns = namespace()
