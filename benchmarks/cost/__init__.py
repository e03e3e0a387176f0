"""What a creation costs on this side: instructions, counted by valgrind's callgrind."""
