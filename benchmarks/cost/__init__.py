"""The cost of a creation on the side of the client: instructions, counted by callgrind."""
