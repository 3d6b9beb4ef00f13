"""The rules of lint: one module a family, each rule with an example that fails and one that passes."""
