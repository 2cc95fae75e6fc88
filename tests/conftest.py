"""What every test shares: nothing yet but the rule that warnings are errors, kept in pyproject.toml."""
