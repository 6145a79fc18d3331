"""Reading files that somebody else wrote: each is checked whole before anything of it is used."""
