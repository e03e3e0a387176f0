"""What a bulk run takes, in memory and in time, as it gets longer."""
