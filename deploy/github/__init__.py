"""What is asked of GitHub's REST API, and told to it: protection rules, and deployments."""
