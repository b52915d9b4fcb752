"""The controller: fetches a program, checks it, and hands it to the units in the order that tokens say."""
