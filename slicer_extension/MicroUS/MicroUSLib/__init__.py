"""What the MicroUS module is made of; importing it imports nothing heavy."""
