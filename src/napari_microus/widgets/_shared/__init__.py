"""What the three docks share: work in threads, layers, controls."""
