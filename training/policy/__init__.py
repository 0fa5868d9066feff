"""What people ask of the policy: contents, edits, and the change that carries either."""
