"""What may befall a deploy: its process, its network, its hosts, and the text that it is given."""
