"""Install what the module needs, and delete what was downloaded."""
