"""What the API server says of custom objects, told without one."""
