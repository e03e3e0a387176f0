"""Private: the checks of `doctor`: what each layer between here and the service answers."""
